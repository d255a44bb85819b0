module github.com/berth-dev/storagedriver/guest-sdk/go

go 1.23.0
