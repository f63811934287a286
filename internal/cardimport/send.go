package cardimport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"ccms/client"
)

// batchLines is how many lines are sent at once: enough for the service to work
// on many together, few enough to be sent again after a break.
const batchLines = 500

// batchBytes bounds a batch as it is in memory; the service takes 4 MiB.
const batchBytes = 1 << 20

// send sends what has no result yet.
func (im *importer) send(ctx context.Context) error {
	r, sum, err := im.reader()
	if err != nil {
		return err
	}
	defer r.close()
	for {
		batch, err := im.batch(r)
		ended := errors.Is(err, io.EOF)
		if err != nil && !ended {
			wipeAll(batch)
			return fmt.Errorf("read the file of cards: %w", err)
		}
		if ended && sum() != im.content {
			wipeAll(batch)
			return errors.New("the file of cards changed while it was read: put it back as it was and run the same command again")
		}
		if err := im.sendBatch(ctx, batch); err != nil {
			return err
		}
		if ended {
			return nil
		}
	}
}

// batch reads the next lines without a result; io.EOF comes with the last of
// them. Lines that were sent before a break are not mixed with others, for those
// are sent later.
func (im *importer) batch(r *reader) ([]entry, error) {
	var all []entry
	for size := 0; len(all) < batchLines && size < batchBytes; {
		e, err := r.next()
		if err != nil {
			return all, err
		}
		if e.line <= im.journal.last {
			e.wipe()
			continue
		}
		e.card.IdempotencyKey = im.key(e.line)
		all = append(all, e)
		size += sizeOf(e.card)
		if e.line == im.journal.SentTo {
			break
		}
	}
	return all, nil
}

func sizeOf(d client.CardData) int {
	n := 200 + d.Number.Len() + d.Holder.Len() + len(d.Reference)
	for name, value := range d.Metadata {
		n += len(name) + len(value)
	}
	return n
}

func wipeAll(all []entry) {
	for i := range all {
		all[i].wipe()
	}
}

// sendBatch sends lines and writes their results, in order, each when it and all
// before it are known.
func (im *importer) sendBatch(ctx context.Context, all []entry) error {
	defer wipeAll(all)
	if len(all) == 0 {
		return nil
	}
	if err := im.journal.sending(all[len(all)-1].line, im.cfg.Now()); err != nil {
		return err
	}
	cards := make([]client.CardData, 0, len(all))
	for _, e := range all {
		if e.fault == nil {
			cards = append(cards, e.card)
		}
	}
	at := 0 // the next entry without a result
	faults := func() error {
		for ; at < len(all) && all[at].fault != nil; at++ {
			if err := im.write(faultResult(all[at])); err != nil {
				return err
			}
		}
		return nil
	}
	for one := range im.cfg.Bulk(ctx, cards) {
		if err := faults(); err != nil {
			return err
		}
		if !one.Settled {
			return im.stopped(ctx, one.Err)
		}
		if err := im.write(resultOf(all[at], one)); err != nil {
			return err
		}
		at++
	}
	if err := faults(); err != nil {
		return err
	}
	return im.journal.sync()
}

// stopped says where the import stopped and what to do.
func (im *importer) stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	return fmt.Errorf("%s of %s cards are done: %w; run the same command again to go on", grouped(im.sum.Registered+im.sum.Refused), grouped(im.sum.Lines), err)
}

func (im *importer) write(r result) error {
	if err := im.journal.write(r); err != nil {
		return err
	}
	im.sum.Registered, im.sum.Refused = im.journal.registered, im.journal.refused
	im.bar.show()
	return nil
}

func faultResult(e entry) result {
	return result{Line: e.line, Outcome: refused, Code: "INVALID_LINE", Error: e.fault.sentence, Details: e.fault.details}
}

func resultOf(e entry, one client.BulkResult) result {
	r := result{Line: e.line, Outcome: registered, ID: one.ID, Card: masked(e.card.Number)}
	if one.Err == nil {
		return r
	}
	r.Outcome, r.Error = refused, one.Err.Error()
	if refusal, ok := errors.AsType[*client.Error](one.Err); ok {
		r.Code, r.Error, r.Details = refusal.Code, refusal.Message, refusal.Details
		if refusal.Status >= http.StatusInternalServerError {
			r.Outcome = failed
		}
	}
	return r
}

// masked shows the last four digits of what looks like a number; "" for what
// does not, for nobody knows what it is.
func masked(number client.Secret) string {
	digits, last := 0, make([]byte, 0, 4)
	for _, c := range number.Reveal() {
		switch {
		case '0' <= c && c <= '9':
			digits++
			if len(last) == 4 {
				last = append(last[:0], last[1:]...)
			}
			last = append(last, c)
		case c != ' ' && c != '-':
			return ""
		}
	}
	if digits < 12 || digits > 19 {
		return ""
	}
	return strings.Repeat("*", digits-4) + string(last)
}
