module github.com/berth-dev/storagedriver/examples/compress

go 1.25

require (
	github.com/berth-dev/storagedriver/guest-sdk/go v0.0.0
	github.com/klauspost/compress v1.20.1
)

replace github.com/berth-dev/storagedriver/guest-sdk/go => ../../guest-sdk/go
