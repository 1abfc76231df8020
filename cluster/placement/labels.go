package placement

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Names of the settings that are parsed here: the first one of a worker, the others
// of a connector.
const (
	LabelsSetting  = "node.labels"
	RequireSetting = "placement.require"
	AvoidSetting   = "placement.avoid"
)

// Label is a property of nodes.
type Label struct{ Key, Value string }

// String returns the label as it is written in settings: key=value.
func (l Label) String() string { return l.Key + "=" + l.Value }

// ParseLabels parses a node's labels, "zone=a,disk=ssd". A key may stand there once.
// Blanks around keys and values don't count; an empty text is no labels. The error
// names node.labels.
func ParseLabels(text string) (map[string]string, error) {
	list, err := parse(LabelsSetting, text)
	if err != nil {
		return nil, err
	}
	labels := make(map[string]string, len(list))
	for _, l := range list {
		if old, ok := labels[l.Key]; ok {
			return nil, fmt.Errorf("%s: %s is given twice, as %q and as %q, and a node has one value for each label", LabelsSetting, l.Key, old, l.Value)
		}
		labels[l.Key] = l.Value
	}
	return labels, nil
}

// ParseRules parses a connector's placement.require and placement.avoid; Allows says
// what they mean. The error names the setting; it is an error too if the two leave
// nothing over, as with zone=a in both.
func ParseRules(requireText, avoidText string) (require, avoid []Label, err error) {
	if require, err = parse(RequireSetting, requireText); err != nil {
		return nil, nil, err
	}
	if avoid, err = parse(AvoidSetting, avoidText); err != nil {
		return nil, nil, err
	}
	for _, l := range require {
		left := slices.ContainsFunc(require, func(o Label) bool { return o.Key == l.Key && !slices.Contains(avoid, o) })
		if !left {
			return nil, nil, fmt.Errorf("%s: every value that %s allows for %s is forbidden here (%s), so that no node could ever run the connector", AvoidSetting, RequireSetting, l.Key, join(avoid))
		}
	}
	return require, avoid, nil
}

// Allows tells whether a node with these labels may run a connector with these rules.
// For each key that require names, the node must have one of the values given for it:
// zone=a,zone=b,disk=ssd is zone a or b, and an SSD. The node must have none of the
// labels in avoid.
func Allows(labels map[string]string, require, avoid []Label) bool {
	for _, l := range avoid {
		if v, ok := labels[l.Key]; ok && v == l.Value {
			return false
		}
	}
	return meets(labels, require)
}

func meets(labels map[string]string, require []Label) bool {
	for _, l := range require {
		v, ok := labels[l.Key]
		if !ok || !slices.Contains(require, Label{l.Key, v}) {
			return false
		}
	}
	return true
}

// parse returns the labels of a list, each once, in the order of the text.
func parse(setting, text string) ([]Label, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var list []Label
	for part := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(part, "=")
		l := Label{strings.TrimSpace(key), strings.TrimSpace(value)}
		part = strings.TrimSpace(part)
		switch {
		case part == "":
			return nil, fmt.Errorf("%s: there is an empty entry in %q; entries are key=value, with commas between them", setting, text)
		case !ok:
			return nil, fmt.Errorf("%s: %q is not of the form key=value", setting, part)
		case l.Key == "":
			return nil, fmt.Errorf("%s: %q has no key before the equals sign", setting, part)
		case l.Value == "":
			return nil, fmt.Errorf("%s: %q has no value after the equals sign", setting, part)
		case strings.Contains(l.Value, "="):
			return nil, fmt.Errorf("%s: %q has more than one equals sign; is a comma missing?", setting, part)
		case strings.ContainsFunc(l.Key+l.Value, odd):
			return nil, fmt.Errorf("%s: %q has a blank or a character that cannot be printed inside; is a comma missing?", setting, part)
		}
		if !slices.Contains(list, l) {
			list = append(list, l)
		}
	}
	return list, nil
}

func odd(r rune) bool {
	return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == unicode.ReplacementChar
}

func join(labels []Label) string {
	words := make([]string, len(labels))
	for i, l := range labels {
		words[i] = l.String()
	}
	return strings.Join(words, ",")
}
