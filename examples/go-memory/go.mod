module github.com/berth-dev/storagedriver/examples/go-memory

go 1.23.0

require github.com/berth-dev/storagedriver/guest-sdk/go v0.0.0

replace github.com/berth-dev/storagedriver/guest-sdk/go => ../../guest-sdk/go
