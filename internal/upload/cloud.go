//go:build cloud

package upload

import (
	"context"
	"errors"
	"io"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/azureblob" // azblob://
	_ "gocloud.dev/blob/fileblob"  // file://
	_ "gocloud.dev/blob/gcsblob"   // gs://
	_ "gocloud.dev/blob/s3blob"    // s3://
	"gocloud.dev/gcerrors"
)

// bucket is one by the Go Cloud Development Kit.
type bucket struct{ *blob.Bucket }

// open opens the bucket at a URL.
func open(ctx context.Context, url string) (objects, error) {
	b, err := blob.OpenBucket(ctx, url)
	if err != nil {
		return nil, err
	}
	return bucket{b}, nil
}

// Look implements objects.
func (b bucket) Look(ctx context.Context, key string) (size int64, ok bool, err error) {
	a, err := b.Attributes(ctx, key)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return 0, false, nil // nor may there be a bucket: Put says that
	}
	if err != nil {
		return 0, false, kind(err)
	}
	return a.Size, true, nil
}

// An object is sent in parts, of which several lie in memory; S3 takes 10,000.
const (
	maxParts  = 9000
	leastPart = 8 << 20 // bytes
)

// Put implements objects. It gives no MD5: where one is to be compared the kit
// takes a way on which an upload to Azure that fails may panic (v0.47.0). The
// connections have checksums of their own.
func (b bucket) Put(ctx context.Context, key string, c content) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.Reader = careful{c.Reader, cancel}
	return kind(b.Upload(ctx, key, c, &blob.WriterOptions{
		ContentType: "application/octet-stream",
		BufferSize:  int(max(leastPart, c.Size/maxParts+1)),
	}))
}

// careful breaks the upload off when the content does. Some providers would take
// what came until then for the whole.
type careful struct {
	io.Reader
	cancel func()
}

// Read implements io.Reader.
func (c careful) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if err != nil && err != io.EOF {
		c.cancel()
	}
	return n, err
}

// kind marks the errors that another try does not mend.
func kind(err error) error {
	switch gcerrors.Code(err) {
	case gcerrors.NotFound, gcerrors.PermissionDenied, gcerrors.InvalidArgument, gcerrors.Unimplemented:
		return errors.Join(errRefused, err)
	}
	return err
}
