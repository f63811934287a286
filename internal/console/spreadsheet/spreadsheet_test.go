package spreadsheet

import (
	"encoding/csv"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ccms/internal/problem"
)

// TestCellsAreNoFormulas would fail if what a firm's customer wrote could run in
// the spreadsheet of who opens the export.
func TestCellsAreNoFormulas(t *testing.T) {
	for text, want := range map[string]string{
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1", "\r=1": "'\r=1",
		" =1": "' =1", "\u00a0=1": "'\u00a0=1", "＝1": "'＝1", "order=7": "order=7", "order 7": "order 7", "": "", " ": " ",
		"12/2030": "12/2030", "2026-11-22T08:00:00Z": "2026-11-22T08:00:00Z",
	} {
		if got := plainCell(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// FuzzCells would fail if a cell began as a formula does, or lost text.
func FuzzCells(f *testing.F) {
	f.Add("=cmd|' /C calc'!A0")
	f.Add(" \u00a0@x")
	f.Fuzz(func(t *testing.T, text string) {
		got := plainCell(text)
		if got != text && got != "'"+text {
			t.Fatalf("%q became %q", text, got)
		}
		if first := strings.TrimLeft(got, " \u00a0"); first != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(first)[0]) {
			t.Fatalf("%q is a formula", got)
		}
	})
}

// pagesOf gives a page for each cursor, and fails on the page numbered broken.
func pagesOf(rows [][][]string, broken int) func(string) ([][]string, string, error) {
	return func(cursor string) ([][]string, string, error) {
		at := len(cursor)
		if at == broken {
			return nil, "", problem.Database(errors.New("away"))
		}
		next := ""
		if at+1 < len(rows) {
			next = cursor + "x"
		}
		return rows[at], next, nil
	}
}

func TestAnExportIsWholeOrBreaks(t *testing.T) {
	rows := [][][]string{{{"a", "=1"}}, {}, {{"b", "2"}}}
	serve := func(broken int) *httptest.Server {
		return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if err := Send(w, File{Name: "x.csv", Header: []string{"n", "v"}, Page: pagesOf(rows, broken)}); err != nil {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}))
	}
	get := func(t *testing.T, broken int) (*http.Response, [][]string, error) {
		server := serve(broken)
		defer server.Close()
		res, err := server.Client().Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		all, err := csv.NewReader(res.Body).ReadAll()
		return res, all, err
	}
	t.Run("all pages come, the empty one does not end it", func(t *testing.T) {
		res, all, err := get(t, -1)
		if err != nil || len(all) != 3 || all[1][1] != "'=1" || all[2][0] != "b" {
			t.Errorf("%q %v", all, err)
		}
		if got := res.Header.Get("Content-Disposition"); got != `attachment; filename="x.csv"` {
			t.Errorf("Content-Disposition %q", got)
		}
	})
	t.Run("an error before the first row is answered as one", func(t *testing.T) {
		if res, _, _ := get(t, 0); res.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%d", res.StatusCode)
		}
	})
	t.Run("an error later breaks the connection", func(t *testing.T) {
		if _, all, err := get(t, 2); err == nil {
			t.Errorf("a part was taken for the whole: %q", all)
		}
	})
}
