package hooks

import (
	"maps"
	"net/http"
	"net/url"
	"strconv"

	"ccms/internal/console/backend"
	"ccms/internal/console/forms"
	"ccms/internal/console/frame"
	"ccms/internal/page"
)

// logData is the data of webhook.html. Form is from when on all is sent again.
type logData struct {
	hookData
	Filter      *page.Form
	Rows        []delivery
	Filtered    bool
	Next, First string // paths
}

// delivery is a line of the page.
type delivery struct {
	backend.Delivery
	Last backend.Attempt // zero: there was none yet
}

func (s *service) log(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	data, err := s.theWebhook(r, d)
	if err != nil {
		return err
	}
	data.Done = done(r)
	data.Form = d.NewForm(forms.Since(r.URL.Query().Get("since"))...)
	return s.showLog(w, r, data)
}

// done says what was just done to the webhook.
func done(r *http.Request) string {
	said := frame.Done(r, map[string]string{
		"enabled":  "The webhook is switched on. What happened while it was off is not sent; registrations have it.",
		"disabled": "The webhook is switched off: nothing is sent to it, and nothing kept for it.",
		"test":     "A test event is on its way. Look again in a moment to see what became of it.",
		"replayed": "The event is sent again, with the same id.",
		"since":    "They are sent again, with the same ids.",
	})
	n, err := strconv.Atoi(r.URL.Query().Get("count"))
	switch {
	case err != nil || r.URL.Query().Get("done") != "since":
		return said
	case r.URL.Query().Get("since") != "":
		return strconv.Itoa(n) + " events are sent again. There are more: go on from the time below."
	case n == 1:
		return "One event is sent again."
	}
	return strconv.Itoa(n) + " events are sent again."
}

// showLog reads a page of the log and shows it.
func (s *service) showLog(w http.ResponseWriter, r *http.Request, hook hookData) error {
	data := logData{hookData: hook, Filter: hook.NewForm(forms.Deliveries(r.URL.Query())...)}
	chosen := forms.Chosen(r.URL.Query(), data.Filter)
	data.Filtered = len(chosen) > 0
	q := maps.Clone(chosen)
	if cursor := r.URL.Query().Get("cursor"); cursor != "" {
		q.Set("cursor", cursor)
		data.First = frame.WithQuery(data.Path(), chosen)
	}
	list, err := s.ask.Deliveries(r, data.Caller(), data.Webhook.ID, q)
	if err := data.Refused(err, nil); err != nil {
		return err
	}
	for _, v := range list.Data {
		row := delivery{Delivery: v}
		if n := len(v.Attempts); n > 0 {
			row.Last = v.Attempts[n-1]
		}
		data.Rows = append(data.Rows, row)
	}
	if list.Next != "" {
		chosen.Set("cursor", list.Next)
		data.Next = frame.WithQuery(data.Path(), chosen)
	}
	return data.Show(w, r, frame.Shown{Title: "Webhook", Page: "webhook.html", Data: data, Status: data.Status()})
}

func (s *service) test(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	return s.act(w, r, d, func(data *hookData) (url.Values, error) {
		_, err := s.ask.TestWebhook(r, d.Caller(), data.Webhook.ID)
		return url.Values{"done": {"test"}}, err
	})
}

// act does something with the webhook in the path and goes back to its page,
// which says what was done, or why it was not.
func (s *service) act(w http.ResponseWriter, r *http.Request, d frame.Desk, do func(data *hookData) (url.Values, error)) error {
	data, err := s.theWebhook(r, d)
	if err != nil {
		return err
	}
	data.Form = d.NewForm(forms.Since("")...)
	then, err := do(&data)
	if err := data.Refused(err, nil); err != nil {
		return err
	}
	if !data.Good() {
		return s.showLog(w, r, data)
	}
	return page.Redirect(w, frame.WithQuery(data.Path(), then))
}

func (s *service) replay(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	return s.act(w, r, d, func(data *hookData) (url.Values, error) {
		return url.Values{"done": {"replayed"}}, s.ask.ReplayEvent(r, d.Caller(), data.Webhook.ID, posted.Text("event"))
	})
}

func (s *service) replaySince(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	return s.act(w, r, d, func(data *hookData) (url.Values, error) {
		data.Form = d.NewForm(forms.Since(posted.Text("since"))...)
		since := forms.ReadSince(data.Form)
		if !data.Good() {
			return nil, nil
		}
		sent, err := s.ask.ReplaySince(r, d.Caller(), data.Webhook.ID, since)
		then := url.Values{"done": {"since"}, "count": {strconv.Itoa(sent.Count)}}
		if !sent.Next.IsZero() {
			then.Set("since", forms.SinceText(sent.Next))
		}
		return then, err
	})
}
