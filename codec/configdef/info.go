package configdef

// KeyInfo is a key in REST answers (ConfigKeyInfo); the order of the fields is that
// of Kafka Connect 4.1.
type KeyInfo struct {
	Name          string   `json:"name"`
	Type          string   `json:"type"`
	Required      bool     `json:"required"`
	DefaultValue  *string  `json:"default_value"`
	Importance    string   `json:"importance"`
	Documentation string   `json:"documentation"`
	Group         *string  `json:"group"`
	Width         string   `json:"width"`
	DisplayName   string   `json:"display_name"`
	Dependents    []string `json:"dependents"`
	Order         int      `json:"order"`
}

// ValueInfo is a validated value in REST answers (ConfigValueInfo).
type ValueInfo struct {
	Name              string   `json:"name"`
	Value             *string  `json:"value"`
	RecommendedValues []string `json:"recommended_values"`
	Errors            []string `json:"errors"`
	Visible           bool     `json:"visible"`
}

// Info pairs a definition, null for a setting that nobody defined, with its value.
type Info struct {
	Definition *KeyInfo   `json:"definition"`
	Value      *ValueInfo `json:"value"`
}

// Infos is the answer of a validation (ConfigInfos).
type Infos struct {
	Name       string   `json:"name"`
	ErrorCount int      `json:"error_count"`
	Groups     []string `json:"groups"`
	Configs    []Info   `json:"configs"`
}

// Info describes the key, with a prefix before its name and those of its dependents.
func (k *Key) Info(prefix string) *KeyInfo {
	out := &KeyInfo{
		Name: prefix + k.Name, Type: k.Type.String(), Required: k.Required(),
		Importance: k.Importance.String(), Documentation: k.Doc, Width: k.Width.String(),
		DisplayName: k.displayName(), Dependents: []string{}, Order: k.order(),
	}
	if !out.Required {
		out.DefaultValue = ConvertToString(k.Default, k.Type)
	}
	if k.Group != "" {
		group := k.Group
		out.Group = &group
	}
	for _, d := range k.Dependents {
		out.Dependents = append(out.Dependents, prefix+d)
	}
	return out
}

// Info renders the value for REST. k is its key, nil where nobody defined one.
func (v *ConfigValue) Info(prefix string, k *Key) *ValueInfo {
	t := String
	if k != nil {
		t = k.Type
	}
	out := &ValueInfo{
		Name: prefix + v.Name, Value: ConvertToString(v.Value, t),
		RecommendedValues: []string{}, Errors: append([]string{}, v.Errors...), Visible: v.Visible,
	}
	for _, r := range v.Recommended {
		if s := ConvertToString(r, t); s != nil {
			out.RecommendedValues = append(out.RecommendedValues, *s)
		}
	}
	return out
}

// Infos describes every key of d in the order in which they were declared, as
// GET /connector-plugins/{plugin}/config does.
func (d *Def) Infos() []*KeyInfo {
	out := make([]*KeyInfo, 0, len(d.keys))
	for _, k := range d.keys {
		out = append(out, k.Info(""))
	}
	return out
}
