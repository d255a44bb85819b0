// Package e2e tests bin/berth from outside: skopeo and crane push, pull, list and delete through it,
// and it is killed in the middle of uploads, alone and as one of two replicas.
//
// Its tests have the build tag "servers"; `make test-servers` installs what they need and runs
// them. A tool that is missing is a failure, not a skip.
package e2e
