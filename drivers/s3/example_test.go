package s3_test

import (
	"context"
	"fmt"

	"github.com/berth-dev/storagedriver/drivers/s3"
	"github.com/berth-dev/storagedriver/factory"
)

// A program that has no configuration begins with the defaults.
func ExampleNew() {
	config := s3.Default()
	config.Region, config.Bucket, config.RootDirectory = "eu-central-1", "registry", "/docker"
	config.AccessKey, config.SecretKey = "AKIAIOSFODNN7EXAMPLE", factory.NewSecret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
	config.Probe = false // this program has no network

	d, err := s3.New(context.Background(), config)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.Name(), d.Capabilities().Keys.Prefix, config.SecretKey, d.Close())

	config.ChunkSize = 1 << 20
	_, err = s3.New(context.Background(), config)
	fmt.Println(err)
	// Output:
	// s3 docker/ (secret) <nil>
	// invalid argument: parameter "chunksize" must be from 5242880 to 5368709120
}
