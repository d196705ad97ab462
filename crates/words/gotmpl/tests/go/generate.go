// Command generate writes what Go makes of the templates in templates.txt, for golden.rs.
//
// Run in this directory: go run generate.go <templates.txt >golden.jsonl
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"text/template"
)

const data = `{"Name":"web","Empty":"","Count":3,"Zero":0,"Ratio":1.5,"Big":123456789.0,"On":true,"Off":false,"Nothing":null,
"Tags":["a","b","c"],"None":[],"Numbers":[1,2.5,-3],"Mixed":[1,"a",null,true,[1],{"k":"v"}],
"Labels":{"b":"2","a":"1","c.d":"x y"},"State":{"Status":"running","Pid":42,"Health":{"Log":[{"Exit":0},{"Exit":1}]}},
"Markup":"<a href=\"x\">'&'</a>","Path":"a b/ü?=1","Ports":{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"}],"90/udp":null}}`

func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return int(i)
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = numbers(v[k])
		}
	}
	return v
}

// The functions are docker/cli's.
var functions = template.FuncMap{
	"json": func(v any) string {
		buf := &bytes.Buffer{}
		enc := json.NewEncoder(buf)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			panic(err)
		}
		return strings.TrimSpace(buf.String())
	},
	"split": strings.Split,
	"join": func(elems any, sep string) (string, error) {
		if elems == nil {
			return "", nil
		}
		rv := reflect.ValueOf(elems)
		if rv.Kind() != reflect.Slice {
			return "", fmt.Errorf("expected slice, got %T", elems)
		}
		var parts []string
		for i := 0; i < rv.Len(); i++ {
			parts = append(parts, fmt.Sprint(rv.Index(i).Interface()))
		}
		return strings.Join(parts, sep), nil
	},
	"title": strings.Title,
	"lower": strings.ToLower,
	"upper": strings.ToUpper,
	"pad": func(source string, prefix, suffix int) string {
		if source == "" {
			return source
		}
		return strings.Repeat(" ", prefix) + source + strings.Repeat(" ", suffix)
	},
	"truncate": func(source string, length int) string {
		if len(source) < length {
			return source
		}
		return source[:length]
	},
}

type result struct {
	Template string  `json:"template"`
	Missing  string  `json:"missing"`
	Output   *string `json:"output,omitempty"`
	Error    string  `json:"error,omitempty"`
}

func execute(text, missing string) result {
	r := result{Template: text, Missing: missing}
	t, err := template.New("t").Option("missingkey=" + missing).Funcs(functions).Parse(text)
	if err == nil {
		decoder := json.NewDecoder(strings.NewReader(data))
		decoder.UseNumber()
		var v any
		if err := decoder.Decode(&v); err != nil {
			panic(err)
		}
		var out bytes.Buffer
		if err = t.Execute(&out, numbers(v)); err == nil {
			s := out.String()
			r.Output = &s
		}
	}
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

func main() {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		text := strings.NewReplacer(`\n`, "\n", `\t`, "\t").Replace(line)
		missing := "default"
		if rest, ok := strings.CutPrefix(text, "missingkey=error "); ok {
			text, missing = rest, "error"
		}
		if err := encoder.Encode(execute(text, missing)); err != nil {
			panic(err)
		}
	}
}
