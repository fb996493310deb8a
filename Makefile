GO ?= go
PREFIX ?= /usr/local
VERSION ?= $(or $(shell git describe --tags --always --dirty 2>/dev/null),devel)
PROGRAMS := $(patsubst cmd/%/main.go,%,$(wildcard cmd/*/main.go))
SOURCES = $(shell find . -name '*.go' -not -path './vendor/*')
STATIC := CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false \
	-ldflags '-s -w -X sandbox/internal/cli.Version=$(VERSION)'

.PHONY: build demo test test-vm bench fuzz generate lint fmt install clean $(PROGRAMS)

build: $(PROGRAMS)          # the static programs, in bin/

$(PROGRAMS):
	@mkdir -p bin
	$(STATIC) -o bin/$@ ./cmd/$@

demo:                       # build everything and watch a sandbox at work
	@testdata/demo/demo.sh

test:                       # every test, as root and as an ordinary user
	@.ci/test.sh

test-vm:                    # tests in a virtual machine with a login session (docs/VM.md)
	@.ci/vm/test.sh

bench:                      # benchmarks, those against the peers too
	@.ci/bench.sh

fuzz:                       # every fuzz test, FUZZTIME=10s each
	@.ci/fuzz.sh

generate:
	$(GO) generate ./...

lint:
	$(GO) vet ./...
	@test -z "$$(gofmt -l $(SOURCES) | tee /dev/stderr)"

fmt:
	gofmt -w $(SOURCES)

install: build              # PREFIX=/usr/local; completions and man pages too
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 0755 $(PROGRAMS:%=bin/%) $(DESTDIR)$(PREFIX)/bin
	@.ci/install-docs.sh "$(DESTDIR)$(PREFIX)"

clean:
	rm -rf bin
