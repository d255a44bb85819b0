// Package interchange tests that Berth and distribution's own registry read, continue and collect what the other
// stored in a directory or in a bucket of S3: both are started as processes on one root, one after the other and at the same
// time.
//
// Its tests have the build tag "servers"; `make test-servers` installs what they need and runs
// them. A tool that is missing is a failure, not a skip.
package interchange
