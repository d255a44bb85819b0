module github.com/berth-dev/storagedriver/examples/seal

go 1.25.0

require (
	filippo.io/age v1.3.2
	github.com/berth-dev/storagedriver/guest-sdk/go v0.0.0
)

require (
	filippo.io/hpke v0.4.0 // indirect
	golang.org/x/crypto v0.55.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
)

replace github.com/berth-dev/storagedriver/guest-sdk/go => ../../guest-sdk/go
