# To be sourced by a test in this folder that has a folder $work of its own and
# a function not_run: starts a Docker engine that ends with the test. Its mounts
# are its own, so none stays. The storage is overlay2, or vfs where that is all.
#   engine_start [--alone] ARGUMENT…   dockerd with the arguments; --alone in a
#                                      network of its own, which leads nowhere
#   within COMMAND…                    does something in the engine's network
#   engine_stop
engine_start() {
  local alone=()
  [ "$(id -u)" -eq 0 ] || not_run "an engine needs root"
  if [ "$1" = --alone ]; then
    alone=(-n)
    shift
  fi
  export DOCKER_HOST=unix://$work/socket DOCKER_BUILDKIT=0 DOCKER_CONFIG=$work/client
  unshare -m "${alone[@]}" true 2>/dev/null || not_run "this kernel gives no namespaces"
  cgroups=$(engine_cgroups)
  # shellcheck disable=SC2016 # the inner shell expands it
  unshare -m "${alone[@]}" sh -c '[ "$1" = 0 ] || ip link set lo up; shift; exec "$@"' sh "${#alone[@]}" \
    dockerd --host "$DOCKER_HOST" --data-root "$work/data" --exec-root "$work/exec" --pidfile "$work/pid" \
    --bridge none "$@" >"$work/log" 2>&1 &
  engine=$!
  for _ in $(seq 300); do
    docker version >/dev/null 2>&1 && return
    kill -0 "$engine" 2>/dev/null || not_run "dockerd ended: $(tail -1 "$work/log")"
    sleep 0.2
  done
  not_run "dockerd did not come up: $(tail -1 "$work/log")"
}

within() { nsenter -t "$engine" -n "$@"; }

engine_cgroups() { find /sys/fs/cgroup -maxdepth 2 -type d -name docker 2>/dev/null || true; }

engine_stop() {
  local group
  if [ -n "${engine:-}" ]; then
    docker ps -aq 2>/dev/null | xargs -r docker rm -fv >/dev/null 2>&1 || true
    kill "$engine" 2>/dev/null || true
    wait "$engine" || true
    engine_cgroups | grep -vxF "${cgroups:-none}" | while read -r group; do
      find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done
  fi
}
