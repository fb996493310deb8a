GO ?= go
PREFIX ?= /usr/local
VERSION ?= $(or $(shell git describe --tags --always --dirty 2>/dev/null),devel)
PROGRAMS := $(patsubst cmd/%/main.go,%,$(wildcard cmd/*/main.go))
STATIC := CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false \
	-ldflags '-s -w -X sandbox/internal/cli.Version=$(VERSION)'

.PHONY: build demo test bench fuzz generate lint fmt install clean $(PROGRAMS)

build: $(PROGRAMS)          # the static programs, in bin/

$(PROGRAMS):
	@mkdir -p bin
	$(STATIC) -o bin/$@ ./cmd/$@

demo:                       # build everything and watch a sandbox at work
	@testdata/demo/demo.sh

test:                       # every test, as root and as an ordinary user
	@.ci/test.sh

bench:                      # benchmarks, those against the peers too
	@.ci/bench.sh

fuzz:                       # every fuzz test, FUZZTIME=10s each
	@.ci/fuzz.sh

generate:
	$(GO) generate ./...

lint:
	$(GO) vet ./...
	@test -z "$$(gofmt -l cmd internal manifest permissions portal repo runtime | tee /dev/stderr)"

fmt:
	gofmt -w cmd internal manifest permissions portal repo runtime

install: build              # PREFIX=/usr/local; completions and man pages too
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 0755 $(PROGRAMS:%=bin/%) $(DESTDIR)$(PREFIX)/bin
	@.ci/install-docs.sh "$(DESTDIR)$(PREFIX)"

clean:
	rm -rf bin
