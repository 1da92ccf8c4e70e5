# unicrm: make lists its targets.

PLUGINS := $(notdir $(patsubst %/main.go,%,$(wildcard plugins/*/main.go)))
TOOL    := go tool -modfile=.tools/go.mod
PROTO_TOOL := go tool -modfile=../.tools/go.mod
LDFLAGS := -s -w

.DEFAULT_GOAL := help
.PHONY: help build run test figures check generate breaking-baseline clean $(addprefix plugin-,$(PLUGINS)) host

help: ## list the targets
	@grep -hE '^[a-z%-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20
	@echo "plugins: $(PLUGINS)"

build: host $(addprefix plugin-,$(PLUGINS)) ## build bin/unicrm and bin/plugins/

host:
	@mkdir -p bin/plugins
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/unicrm ./host

$(addprefix plugin-,$(PLUGINS)): plugin-%: ## plugin-<slug>: build one provider plugin
	@mkdir -p bin/plugins
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/plugins/unicrm-provider-$* ./plugins/$*

run: build ## build everything and run the sandbox
	bin/unicrm sandbox

test: build ## run all tests, with the race detector
	go test -race -parallel 6 -timeout 20m ./...

figures: build ## run the counting tests at full size (minutes): swaps, kills, starts, memory
	UNICRM_LONG=1 go test -count=1 -v -timeout 40m -run 'Thousand|Swaps|Killed|NotUsed|Idle' ./host ./host/internal/supervisor

generate: ## write anew what is generated from the .proto files
	cd proto && $(PROTO_TOOL) buf generate

check: ## format, vet, lint, generated code, protocol, import rules
	@unformatted="$$($(TOOL) gofumpt -l host plugins sdk proto)"; if [ -n "$$unformatted" ]; then echo "not gofumpt-ed:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	$(TOOL) golangci-lint run ./...
	cd proto && $(PROTO_TOOL) buf format --diff --exit-code && $(PROTO_TOOL) buf lint
	cd proto && $(PROTO_TOOL) buf breaking --against testdata/v1.binpb
	./.tools/generated.sh
	go test -count=1 ./host/internal/houserules
	go mod tidy -diff

breaking-baseline: ## accept the protocol as it is as the one to stay compatible with
	cd proto && $(PROTO_TOOL) buf build -o testdata/v1.binpb

clean: ## remove what a build made
	rm -rf bin/unicrm bin/plugins
