// Package s3bench measures our S3 driver beside the one of distribution v3.1.2, and the driver of examples/rust-s3, in the sandbox, beside both, on one service, directly
// and over a link with 20 ms of latency.
//
//	make bench
//	go test -tags servers -run '^$' -bench BesideDistribution/push/20ms -benchtime 1x ./testsuites/s3bench -rounds 3
//	go test -tags servers -run '^$' -bench Sandboxed -benchtime 1x -timeout 1h ./testsuites/s3bench
//	go test -tags servers -run '^$' -bench Requests -benchtime 1x -v ./testsuites/s3bench
//
// A measurement is one task, such as the push of a layer, that one driver does in a process of its own: its time, its processor time and the most memory it ever had are
// that driver's. Every driver is called by its own interface. A round is the one, the other and the first once more, in an order that is drawn. A ratio is
// the first's time (the mean of the two) by the other's, so more is better; the control is the first's first time by its second.
// A floor that does not hold fails the benchmark.
//
// The service is the program that BERTH_VERSITYGW names, or BERTH_MINIO with -service minio; what it stores is in TMPDIR.
package s3bench
