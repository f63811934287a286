# The image of CCMS: one static binary and nothing else. Build the binaries
# first, the same bytes for everybody (make release):
#
#   make release && docker build -t ccms .
#   docker buildx build --platform linux/arm64 -t ccms:arm64 .
#
# A builder that knows no platforms is told by --build-arg ARCH=arm64.
#
# What it is of can be said in its labels:
#
#   --build-arg VERSION="$(bin/release/ccms version | cut -d' ' -f2)" --build-arg REVISION="$(git rev-parse HEAD)"
#
# Nothing is written but below /data, so that it runs with a read-only root:
#
#   docker run --read-only --cap-drop ALL --security-opt no-new-privileges -v ccms:/data ccms login
FROM scratch
ARG TARGETARCH
ARG ARCH=${TARGETARCH:-amd64}
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="CCMS" \
      org.opencontainers.image.description="Credit card management system" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY bin/release/ccms-linux-${ARCH} /ccms
COPY bin/release/ccms-linux-${ARCH}.cdx.json /ccms.cdx.json
# What a new volume begins with: a folder in which our user can make his own.
COPY --chown=65532:65532 deploy/image/data /data
USER 65532:65532
ENV CCMS_DATA=/data/ccms CCMS_LOG_FORMAT=json
VOLUME /data
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/ccms", "doctor", "--quick"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/ccms"]
CMD ["up"]
