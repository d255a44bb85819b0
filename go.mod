module github.com/berth-dev/storagedriver

go 1.26.0
