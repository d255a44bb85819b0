module github.com/berth-dev/storagedriver/testsuites/guests

go 1.26.0

require (
	github.com/berth-dev/storagedriver v0.0.0
	github.com/berth-dev/storagedriver/guest-sdk/go v0.0.0
	golang.org/x/net v0.62.0
)

require (
	github.com/go-viper/mapstructure/v2 v2.5.0 // indirect
	pgregory.net/rapid v1.3.0 // indirect
)

require (
	github.com/berth-dev/storagedriver/examples/webdav v0.0.0
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3 // indirect
	github.com/tetratelabs/wazero v1.12.0 // indirect
	github.com/vmihailenco/msgpack/v5 v5.4.1 // indirect
	github.com/vmihailenco/tagparser/v2 v2.0.0 // indirect
	go.uber.org/goleak v1.3.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)

replace (
	github.com/berth-dev/storagedriver => ../..
	github.com/berth-dev/storagedriver/examples/webdav => ../../examples/webdav
	github.com/berth-dev/storagedriver/guest-sdk/go => ../../guest-sdk/go
)
