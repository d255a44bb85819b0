//go:build servers

package s3_test

import (
	"bytes"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/testsuites/servers"

	driver "github.com/berth-dev/storagedriver/drivers/s3"
)

// A rule of the bucket may end a multipart upload whose state stays: who goes on begins anew.
func TestAnUploadThatTheServiceHasEndedBeginsAnew(t *testing.T) {
	t.Parallel()
	service := servers.StartS3(t, "versitygw", "BERTH_VERSITYGW")
	d, err := factory.FromOpen(driver.Name, driver.Open).Create(t.Context(), on(t, service))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, size := range []int{smallPart + 10, 2*smallPart + smallPart/2} { // the tail is in the state, and beside it
		content := bytes.Repeat([]byte("0123456789"), size/10)
		write(t, d, false, content, false)
		api := service.Client()
		uploads, err := api.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: aws.String(bucket)})
		if err != nil || len(uploads.Uploads) != 1 {
			t.Fatalf("ListMultipartUploads: want one, got %v, %v", uploads, err)
		}
		u := uploads.Uploads[0]
		if _, err := api.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: aws.String(bucket), Key: u.Key, UploadId: u.UploadId}); err != nil {
			t.Fatal(err)
		}
		write(t, d, true, content[:100], true)
		got, err := d.GetContent(t.Context(), "/dir/file")
		if err != nil || !bytes.Equal(got, content[:100]) {
			t.Errorf("GetContent: want the 100 bytes of the new upload, got %d, %v", len(got), err)
		}
		if err := d.Delete(t.Context(), "/dir"); err != nil {
			t.Fatal(err)
		}
		objects, err := api.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})
		if err != nil || len(objects.Contents) > 0 {
			t.Errorf("the service has %v, %v, want nothing", objects.Contents, err)
		}
	}
}

// write writes content to an upload of size 0, and commits or suspends it.
func write(t *testing.T, d storagedriver.StorageDriver, resume bool, content []byte, commit bool) {
	t.Helper()
	w, err := d.Writer(t.Context(), "/dir/file", resume)
	if err != nil {
		t.Fatalf("Writer: %v", err)
	}
	defer w.Close()
	if n := w.Size(); n != 0 {
		t.Fatalf("Size: want 0, got %d", n)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatalf("Write: %v", err)
	}
	if commit {
		err = w.Commit(t.Context())
	} else {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}
