// Custom resource definitions are read from the module cache; nothing here is compiled (and `go mod tidy` would empty this file).
module netweave.test/crds

go 1.26.0

require (
	github.com/openshift/api v0.0.0-20260813212709-d4bb0b443cb8
	sigs.k8s.io/cluster-api v1.14.2
)
