package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupeio/troupe/actors/kafkaclient"
	"github.com/troupeio/troupe/cluster/workerconfig"
	"github.com/troupeio/troupe/codec/properties"
	"github.com/troupeio/troupe/connectors"
	"github.com/troupeio/troupe/connectors/configprovider"
)

// Exit codes of troupe doctor.
const (
	exitNotAll    = 1 // something would not run
	exitNoVerdict = 2 // wrong arguments, properties that cannot be read, no answer from Kafka
)

// doctorPatience bounds the whole examination.
const doctorPatience = 2 * time.Minute

// runDoctor is `troupe doctor takeover [--json] worker.properties`: it says what
// would run if Troupe were started with the file in place of Kafka Connect, and
// changes nothing.
func runDoctor(ctx context.Context, args []string, stdout io.Writer) error {
	asJSON, file := false, ""
	if len(args) == 0 || args[0] != "takeover" {
		return &fatal{exitNoVerdict, errors.New("troupe doctor knows one examination: takeover")}
	}
	for _, a := range args[1:] {
		switch {
		case a == "--json" || a == "-json":
			asJSON = true
		case strings.HasPrefix(a, "-") || file != "":
			return &fatal{exitNoVerdict, fmt.Errorf("troupe doctor takeover takes one worker.properties and --json; what is %q?", a)}
		default:
			file = a
		}
	}
	if file == "" {
		return &fatal{exitNoVerdict, errors.New("troupe doctor takeover takes a worker.properties")}
	}
	p, err := properties.Load(file)
	if err != nil {
		return &fatal{exitNoVerdict, fmt.Errorf("reading the worker's properties: %w", err)}
	}
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	d := &doctor{report: doctorReport{File: file}}
	err = d.examine(ctx, p.Map())
	d.report.sum()
	if err != nil {
		d.report.Error = err.Error()
	}
	if asJSON {
		enc := json.NewEncoder(stdout)
		enc.SetIndent("", "  ")
		if werr := enc.Encode(&d.report); werr != nil {
			return &fatal{exitNoVerdict, werr}
		}
	} else {
		d.report.write(stdout)
	}
	switch {
	case err != nil:
		return &fatal{exitNoVerdict, err}
	case !d.report.AllRun:
		return &fatal{exitNotAll, errors.New(d.report.summary())}
	}
	return nil
}

// level is how much a finding matters.
type level string

const (
	levelOK         level = "ok"
	levelNote       level = "note"        // good to know
	levelFirst      level = "first"       // to be done before the start
	levelNotChecked level = "not checked" // nobody could be asked
	levelProblem    level = "problem"     // stops the start, or the connector
)

// finding is one thing that was looked at.
type finding struct {
	Level level  `json:"level"`
	About string `json:"about"`
	Text  string `json:"text"`
	Do    string `json:"do,omitempty"` // what helps
}

// The verdicts on a connector.
const (
	verdictRuns    = "runs"
	verdictPaused  = "paused"
	verdictStopped = "stopped"
	verdictCannot  = "cannot run"
)

// pluginUse is a plugin that a connector names.
type pluginUse struct {
	Setting string `json:"setting"`
	Class   string `json:"class"`
	Known   bool   `json:"known"`
}

// connectorReport is what was found out about one connector.
type connectorReport struct {
	Name    string      `json:"name"`
	Kind    string      `json:"kind"` // source, sink or unknown
	Class   string      `json:"class"`
	Target  string      `json:"target_state"`
	Tasks   int         `json:"tasks"`
	Offsets *int        `json:"offsets"` // partitions with a stored offset; nil: could not be asked
	Plugins []pluginUse `json:"plugins"`
	Verdict string      `json:"verdict"`
	Found   []finding   `json:"findings"`
}

func (c *connectorReport) add(l level, about, text, do string) {
	for _, f := range c.Found {
		if f.Text == text {
			return
		}
	}
	c.Found = append(c.Found, finding{l, about, text, do})
}

// doctorReport is the answer, in the form of --json.
type doctorReport struct {
	File       string            `json:"file"`
	Group      string            `json:"group_id"`
	Starts     bool              `json:"starts"`  // the worker itself would start
	AllRun     bool              `json:"all_run"` // and so would every connector that is not paused or stopped
	Error      string            `json:"error,omitempty"`
	Settings   []finding         `json:"settings"`
	Members    []finding         `json:"group"`
	Topics     []finding         `json:"topics"`
	Access     []finding         `json:"access"`
	Connectors []connectorReport `json:"connectors"`
}

// sum draws the conclusions.
func (r *doctorReport) sum() {
	r.Starts = true
	for _, part := range [][]finding{r.Settings, r.Members, r.Topics, r.Access} {
		for _, f := range part {
			r.Starts = r.Starts && f.Level != levelProblem
		}
	}
	r.AllRun = r.Starts
	for i := range r.Connectors {
		c := &r.Connectors[i]
		c.Verdict = map[string]string{connectors.Started.String(): verdictRuns, connectors.Paused.String(): verdictPaused, connectors.Stopped.String(): verdictStopped}[c.Target]
		for _, f := range c.Found {
			if f.Level == levelProblem {
				c.Verdict, r.AllRun = verdictCannot, false
			}
		}
	}
}

// count says how many connectors have each verdict.
func (r *doctorReport) count() map[string]int {
	n := make(map[string]int)
	for _, c := range r.Connectors {
		n[c.Verdict]++
	}
	return n
}

func (r *doctorReport) summary() string {
	n := r.count()
	text := fmt.Sprintf("of %d connectors %d would run, %d stay paused, %d stay stopped, %d cannot run", len(r.Connectors), n[verdictRuns], n[verdictPaused], n[verdictStopped], n[verdictCannot])
	if !r.Starts {
		text = "Troupe would not start; once it does, " + text
	}
	return text
}

// doctor examines.
type doctor struct {
	report   doctorReport
	props    map[string]string
	settings *workerconfig.Settings
	resolver *configprovider.Resolver
	registry *connectors.Registry
	kafka    *kgo.Client // with the worker's own properties
	adm      *kadm.Client
	log      *slog.Logger
}

// examine fills the report. An error means that the rest could not be examined.
func (d *doctor) examine(ctx context.Context, props map[string]string) error {
	d.log = slog.New(slog.DiscardHandler)
	var err error
	if d.registry, err = registry(); err != nil {
		return err
	}
	d.report.Group = props["group.id"]
	if err := d.examineSettings(ctx, props); err != nil {
		return err
	}
	d.report.Group = d.props["group.id"]
	cl, err := d.client()
	if err != nil {
		d.report.Settings = append(d.report.Settings, finding{levelProblem, "Kafka client", err.Error(), "change the settings that it names"})
		return errors.New("without a Kafka client nothing else can be examined")
	}
	defer cl.Close()
	d.kafka, d.adm = cl, kadm.NewClient(cl)
	names, err := d.examineCluster(ctx)
	if err != nil {
		return fmt.Errorf("asking Kafka at %s: %w", d.props["bootstrap.servers"], err)
	}
	return d.examineConnectors(ctx, names)
}

// client is the node's own client, with another name.
func (d *doctor) client(extra ...kgo.Opt) (*kgo.Client, error) {
	res, err := kafkaclient.Options(kafkaclient.Admin, kafkaclient.InternalProps(kafkaclient.Admin, d.props, d.props["group.id"]+"-doctor"), kafkaclient.Env{Logger: d.log})
	if err != nil {
		return nil, err
	}
	return kgo.NewClient(append(append(res.Opts, kgo.DisableClientMetrics()), extra...)...)
}

// write prints the report for people.
func (r *doctorReport) write(w io.Writer) {
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
	p("Troupe %s in place of Kafka Connect, group %s, with %s\nOnly questions were asked; nothing was changed.\n", version, r.Group, r.File)
	findings := func(title string, list []finding) {
		if len(list) == 0 {
			return
		}
		p("\n%s\n", title)
		for _, f := range list {
			p("  %-12s %s: %s\n", f.Level, f.About, indented(f.Text, 15))
			if f.Do != "" {
				p("  %-12s -> %s\n", "", indented(f.Do, 18))
			}
		}
	}
	findings("Settings", r.Settings)
	findings("Group", r.Members)
	findings("Internal topics", r.Topics)
	findings("Access", r.Access)
	if len(r.Connectors) > 0 {
		width := len("NAME")
		for _, c := range r.Connectors {
			width = max(width, len(c.Name))
		}
		p("\nConnectors\n  %-*s  %-7s  %-8s  %5s  %7s  %s\n", width, "NAME", "KIND", "STATE", "TASKS", "OFFSETS", "VERDICT")
		for _, c := range r.Connectors {
			offsets := "?"
			if c.Offsets != nil {
				offsets = fmt.Sprint(*c.Offsets)
			}
			p("  %-*s  %-7s  %-8s  %5d  %7s  %s\n", width, c.Name, c.Kind, c.Target, c.Tasks, offsets, c.Verdict)
		}
		for _, c := range r.Connectors {
			if len(c.Found) > 0 {
				findings("Connector "+c.Name+", "+c.Class, c.Found)
			}
		}
	}
	if r.Error != "" {
		p("\nNo verdict: %s\n", r.Error)
	} else {
		p("\n%s.\n", strings.ToUpper(r.summary()[:1])+r.summary()[1:])
	}
}

// indented aligns the lines of a text after the first.
func indented(text string, n int) string {
	return strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+strings.Repeat(" ", n))
}
