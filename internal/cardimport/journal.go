package cardimport

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/sys/unix"
)

// result is a line of the file of results.
type result struct {
	Line    int    `json:"line"` // of the file of cards, from 1
	Outcome string `json:"outcome"`
	ID      string `json:"registration_id,omitzero"`
	Code    string `json:"errorCode,omitzero"`
	Error   string `json:"error,omitzero"`
	Details string `json:"details,omitzero"`
	Card    string `json:"card,omitzero"` // masked
}

// The outcomes of a line.
const (
	registered = "registered"
	refused    = "refused"
	failed     = "failed" // the service broke on this line: it may be registered
)

// runFile is the file beside the results that makes an import resumable. It
// holds nothing secret.
type runFile struct {
	Version  int       `json:"version"`
	Content  string    `json:"content"` // what the content of the file of cards is known by
	ClientID string    `json:"client_id"`
	SentTo   int       `json:"sent_to"` // the last line that may have been sent
	SentAt   time.Time `json:"sent_at,omitzero"`
}

// journal is where results go and how far the import came.
type journal struct {
	runFile
	path                string // of the run file
	results             *os.File
	out                 *bufio.Writer
	last                int // line with the latest result
	registered, refused int
}

// openJournal opens the results of an import, old or new, for this process
// alone. What is there must be of the same file, service and client.
func openJournal(results string, now runFile) (j *journal, err error) {
	j = &journal{runFile: now, path: results + ".run"}
	defer func() {
		if err != nil {
			err = errors.Join(err, j.close())
		}
	}()
	if j.results, err = os.OpenFile(results, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return j, fmt.Errorf("open the results: %w", err)
	}
	j.out = bufio.NewWriter(j.results)
	if err := unix.Flock(int(j.results.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return j, fmt.Errorf("another import writes to %s: wait for it, or name other results with --results", results)
	}
	before, err := readRunFile(j.path)
	if err != nil {
		return j, err
	}
	if before == nil {
		return j, j.begin(results)
	}
	j.runFile = *before
	switch {
	case before.Version != now.Version:
		return j, fmt.Errorf("%s was begun by another version of ccms: finish it there, or name other results with --results", results)
	case before.ClientID != now.ClientID:
		return j, fmt.Errorf("%s was begun by client %s: go on with that, or name other results with --results", results, before.ClientID)
	case before.Content != now.Content:
		return j, fmt.Errorf("the file of cards is not the one that %s was begun with, or the client's secret has changed: put it back to go on, or name other results with --results to import all of it", results)
	}
	return j, j.resume(results)
}

func readRunFile(path string) (*runFile, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the run file: %w", err)
	}
	r := new(runFile)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s is damaged: restore it, or name other results with --results", path)
	}
	return r, nil
}

// begin makes the run file. Results without one are somebody else's.
func (j *journal) begin(results string) error {
	info, err := j.results.Stat()
	if err != nil {
		return fmt.Errorf("open the results: %w", err)
	}
	if info.Size() > 0 {
		return fmt.Errorf("%s is there already, without %s: move it away, or name other results with --results", results, j.path)
	}
	return j.saveRun()
}

// resume reads the results there are and cuts off a line that was not finished.
func (j *journal) resume(results string) error {
	var good int64
	in := bufio.NewReader(j.results)
	for {
		text, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read the results: %w", err)
		}
		var r result
		if json.Unmarshal(bytes.TrimSpace(text), &r) != nil || r.Line <= j.last {
			return fmt.Errorf("%s is damaged after line %d of the cards: restore it, or remove what follows", results, j.last)
		}
		j.count(r)
		good += int64(len(text))
	}
	if err := j.results.Truncate(good); err != nil {
		return fmt.Errorf("open the results: %w", err)
	}
	if _, err := j.results.Seek(good, io.SeekStart); err != nil {
		return fmt.Errorf("open the results: %w", err)
	}
	return nil
}

func (j *journal) count(r result) {
	j.last = r.Line
	if r.Outcome == registered {
		j.registered++
	} else {
		j.refused++
	}
}

// sending says that lines up to one are about to be sent. Lines that were sent
// before keep their time.
func (j *journal) sending(to int, now time.Time) error {
	if to <= j.SentTo {
		return nil
	}
	j.SentTo, j.SentAt = to, now.UTC().Truncate(time.Second)
	return j.saveRun()
}

// saveRun replaces the run file; it is durable before anything is sent.
func (j *journal) saveRun() error {
	text, err := json.Marshal(j.runFile)
	if err != nil {
		return err
	}
	if err := replace(j.path, append(text, '\n')); err != nil {
		return fmt.Errorf("write the run file: %w", err)
	}
	return nil
}

// replace writes a file that is seen whole or not at all, also after a power
// failure.
func replace(path string, content []byte) (err error) {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// write adds a result.
func (j *journal) write(r result) error {
	text, err := json.Marshal(r)
	if err == nil {
		_, err = j.out.Write(append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	j.count(r)
	return nil
}

// sync makes the results durable.
func (j *journal) sync() error {
	if err := errors.Join(j.out.Flush(), j.results.Sync()); err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	return nil
}

// close makes the results durable and gives the lock back.
func (j *journal) close() error {
	if j.results == nil {
		return nil
	}
	return errors.Join(j.sync(), j.results.Close())
}
