// Package upload owns copies of files in object storage: Amazon S3 and whatever
// speaks as it does, Google Cloud Storage, Azure Blob Storage, or a folder. It
// decides under which name a file lies there, sends it whole and once, and tries
// again. What is worth keeping is for others to say: Logs sends the full files
// of a rotated log, the command ccms upload what a person names.
//
// What speaks to the providers is in builds with the tag cloud alone; in all
// others Open fails with ErrNoCloud.
package upload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"
)

var (
	// ErrNoCloud: this is a build without the tag.
	ErrNoCloud = errors.New("this build has no cloud storage: build with -tags cloud, or take a release made with TAGS=cloud")
	// errRefused marks what another try does not mend: no such bucket, no right.
	errRefused = errors.New("refused")
	// errChanged: what was sent is not what was measured.
	errChanged = errors.New("the file became shorter while it was read")
)

// objects is what Bucket needs of a provider.
type objects interface {
	// Look gives the size in bytes of the object under key; ok is false when
	// there is none.
	Look(ctx context.Context, key string) (size int64, ok bool, err error)
	// Put makes the object under key, whole or not at all.
	Put(ctx context.Context, key string, c content) error
	Close() error
}

// content is what an object is made of.
type content struct {
	io.Reader
	Size int64 // bytes
}

// Config says where copies go.
type Config struct {
	// URL is s3://BUCKET?region=REGION, gs://BUCKET, azblob://CONTAINER or
	// file:///FOLDER, with a prefix of all names as prefix=PREFIX/. Who we are
	// is read from the environment, by the provider's own names. No default.
	URL string
	// Tries is how often a file is sent in vain. Default 5.
	Tries int
	// Pause is how long the second try waits; each further one waits twice as
	// long as the one before. Default 1 s.
	Pause time.Duration
	// Progress is told how many bytes of how many have passed. Default nobody.
	Progress func(sent, total int64)
	// Again is told why a file is sent again, and when. Default nobody.
	Again func(err error, in time.Duration)
}

// Bucket is where copies go.
type Bucket struct {
	cfg     Config
	objects objects
}

// Copy is a file as it lies in the bucket.
type Copy struct {
	File  string `json:"file"`
	Key   string `json:"key"` // name of the object, behind the URL's prefix
	Bytes int64  `json:"bytes"`
	// There says that it lay there before, and was not sent.
	There bool `json:"there"`
}

// Open opens the bucket at cfg.URL. It need not reach it. The caller closes it.
func Open(ctx context.Context, cfg Config) (*Bucket, error) {
	o, err := open(ctx, cfg.URL)
	if err != nil {
		return nil, hide(err)
	}
	return newBucket(cfg, o), nil
}

func newBucket(cfg Config, o objects) *Bucket {
	cfg.Tries, cfg.Pause = cmp.Or(cfg.Tries, 5), cmp.Or(cfg.Pause, time.Second)
	if cfg.Progress == nil {
		cfg.Progress = func(int64, int64) {}
	}
	if cfg.Again == nil {
		cfg.Again = func(error, time.Duration) {}
	}
	return &Bucket{cfg, o}
}

// Close lets the connections go.
func (b *Bucket) Close() error { return b.objects.Close() }

// Send copies the file at path, as long as it is now, unless its copy is there.
// The file stays. An error names the file and holds no credential.
func (b *Bucket) Send(ctx context.Context, path string) (Copy, error) {
	f, err := os.Open(path)
	if err != nil {
		return Copy{}, err
	}
	defer f.Close()
	return b.send(ctx, f)
}

// send is Send of a file that is open.
func (b *Bucket) send(ctx context.Context, f *os.File) (Copy, error) {
	path := f.Name()
	m, err := measure(f)
	if err != nil {
		return Copy{}, fmt.Errorf("%s: %w", path, err)
	}
	c := Copy{File: path, Key: m.key(path), Bytes: m.size}
	pause := b.cfg.Pause
	for try := 1; ; try++ {
		c.There, err = b.try(ctx, f, m, c.Key)
		switch {
		case err == nil:
			return c, nil
		case ctx.Err() != nil:
			return c, ctx.Err()
		case try == b.cfg.Tries || errors.Is(err, errRefused) || errors.Is(err, errChanged):
			return c, fmt.Errorf("%s: %w", path, hide(err))
		}
		b.cfg.Again(hide(err), pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return c, ctx.Err()
		}
		pause *= 2
	}
}

// try sends f, unless there is an object of its name and size. The name has the
// checksum in it, so that is the same content. What providers give as checksum
// would prove no more: S3's is none where the bucket is encrypted under a key of
// its owner's, or the object came in parts.
func (b *Bucket) try(ctx context.Context, f *os.File, m measured, key string) (there bool, err error) {
	size, ok, err := b.objects.Look(ctx, key)
	if err != nil || ok && size == m.size {
		return ok, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return false, err
	}
	r := &counted{Reader: io.LimitReader(f, m.size), total: m.size, tell: b.cfg.Progress}
	if err := b.objects.Put(ctx, key, content{r, m.size}); err != nil {
		return false, err
	}
	if r.sent != m.size {
		return false, errChanged
	}
	size, ok, err = b.objects.Look(ctx, key)
	if err == nil && (!ok || size != m.size) {
		err = fmt.Errorf("of %d bytes %d arrived", m.size, size)
	}
	return false, err
}

// counted tells how much of it was read.
type counted struct {
	io.Reader
	sent, total int64
	tell        func(sent, total int64)
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.sent += int64(n)
	c.tell(c.sent, c.total)
	if err == io.EOF && c.sent < c.total {
		err = errChanged
	}
	return n, err
}

// hidden is an error without what URLs in it say beside host and path: the
// queries of some providers are credentials.
type hidden struct {
	error
	text string
}

var (
	query = regexp.MustCompile(`(://[^\s"'?]*)\?[^\s"']*`)
	user  = regexp.MustCompile(`://[^\s"'/@]*@`)
	white = regexp.MustCompile(`\s+`)
)

// hide makes one line of an error, without secrets.
func hide(err error) error {
	text := query.ReplaceAllString(err.Error(), "$1?*****")
	text = user.ReplaceAllString(text, "://*****@")
	return hidden{err, white.ReplaceAllString(text, " ")}
}

func (h hidden) Error() string { return h.text }

// Unwrap gives the whole error to errors.Is.
func (h hidden) Unwrap() error { return h.error }
