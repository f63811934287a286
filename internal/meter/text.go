package meter

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// ContentType is that of AppendText's result.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// AppendText appends families in Prometheus' text form 0.0.4
// (https://prometheus.io/docs/instrumenting/exposition_formats/).
func AppendText(b []byte, families []Family) []byte {
	for _, f := range families {
		b = append(append(append(append(b, "# HELP "...), f.Name...), ' '), helpText.Replace(f.Help)...)
		b = append(append(append(append(b, "\n# TYPE "...), f.Name...), ' '), f.Kind...)
		b = append(b, '\n')
		for _, s := range f.Series {
			b = appendSeries(b, f, s)
		}
	}
	return b
}

func appendSeries(b []byte, f Family, s Series) []byte {
	if f.Kind != HistogramKind && f.Kind != SummaryKind {
		return appendLine(b, f.Name, s.Labels, s.Value)
	}
	if f.Kind == HistogramKind {
		for _, bucket := range append(slices.Clip(s.Buckets), Bucket{math.Inf(1), s.Count}) {
			bound := Label{"le", string(appendFloat(nil, bucket.Bound))}
			b = appendLine(b, f.Name+"_bucket", append(slices.Clip(s.Labels), bound), float64(bucket.Count))
		}
	}
	b = appendLine(b, f.Name+"_sum", s.Labels, s.Value)
	return appendLine(b, f.Name+"_count", s.Labels, float64(s.Count))
}

var (
	helpText  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	valueText = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

func appendLine(b []byte, name string, labels []Label, value float64) []byte {
	b = append(b, name...)
	for i, l := range labels {
		b = append(b, "{,"[min(i, 1)])
		b = append(append(b, l.Name...), `="`...)
		b = append(append(b, valueText.Replace(l.Value)...), '"')
	}
	if len(labels) > 0 {
		b = append(b, '}')
	}
	return append(appendFloat(append(b, ' '), value), '\n')
}

func appendFloat(b []byte, v float64) []byte { return strconv.AppendFloat(b, v, 'g', -1, 64) }
