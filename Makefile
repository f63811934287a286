# CCMS. The first five targets are for people; `make check` runs the rest.

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.8.0
FUZZTIME   ?= 5s
UNWATCHED   = -gcflags=modernc.org/...=-race=false -gcflags=golang.org/x/crypto/...=-race=false

.PHONY: build release test check check-peers chaos bench format vet lint vulnerabilities generated race fuzz api memory reproducible browser

build: ## the binary
	go build -o bin/ccms ./cmd/ccms

release: ## bin/release: the binaries for production, what they are made of, checksums; TAGS=cloud with cloud storage
	@TAGS="$(TAGS)" scripts/release

test: ## every test
	go test ./...

check: format vet lint vulnerabilities generated race api memory reproducible browser ## all that a change must pass beside the tests
	@echo "check: passed"

check-peers: ## tests against other people's software
	@scripts/check-peers

chaos: ## faults of processes, networks, disks and clocks, under load
	@scripts/chaos

bench: ## every benchmark, with memory
	go test -run '^$$' -bench . -benchmem ./...

format: ## gofmt leaves everything as it is
	@bad=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
	if [ -n "$$bad" ]; then echo "gofmt -w is due:"; echo "$$bad"; exit 1; fi

vet: ## go vet, go fix, and the module files
	go vet ./...
	go vet -tags cloud ./internal/upload
	@diff=$$(go fix -diff ./...) || { echo "$$diff"; echo "go fix is due: go fix ./..."; exit 1; }; \
	if [ -n "$$diff" ]; then echo "$$diff"; echo "go fix is due: go fix ./..."; exit 1; fi
	go mod verify
	go mod tidy -diff

lint: ## staticcheck
	go run $(STATICCHECK) ./...
	go run $(STATICCHECK) -tags cloud ./internal/upload

# The database of vulnerabilities may be out of reach; then nothing is known,
# which is said and is no failure. Vulnerable calls that were found are one.
vulnerabilities:
	@scripts/vulnerabilities $(GOVULNCHECK)

generated: ## committed generated files are what their generators give
	@scripts/generated
	@scripts/swagger-ui --check

# Needs a C compiler. e2e drives a program built without it. SQLite and the
# hashes of passwords are left as they are: they take turns under locks of ours,
# and watching each of their reads took two thirds of the time.
race: ## every test, and each fuzz target on its seeds, under the race detector
	@scripts/tools gcc
	CGO_ENABLED=1 scripts/patiently go test -race $(UNWATCHED) -timeout 20m $$(go list ./... | grep -v '/internal/e2e$$')

fuzz: ## each fuzz target for FUZZTIME, looking for more
	@scripts/fuzz $(FUZZTIME)

api: ## the API documents are valid, and what the running services answer
	@scripts/patiently scripts/api

memory: ## what requests leave in the memory of a release build
	@scripts/patiently scripts/memory

reproducible: ## two builds of one commit are the same bytes
	@scripts/reproducible

browser: ## the pages in Chromium: what people do, who cannot see or use a mouse, what leaks, how heavy
	@scripts/patiently scripts/browser
