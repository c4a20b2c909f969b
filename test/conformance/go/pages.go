// Reads the debug pages of the admin address and gives an opinion on each.
package main

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

type pageReport struct {
	Status      int    `json:"status"`
	ContentType string `json:"contentType"`
	Bytes       int    `json:"bytes"`
	Problem     string `json:"problem,omitempty"`
}

func pagesCommand(arguments []string) error {
	var admin, proxy string
	parse("pages", arguments, func(flags *flag.FlagSet) {
		flags.StringVar(&admin, "admin", "", "http://host:port of the admin address")
		flags.StringVar(&proxy, "proxy", "", "the proxy that pages of one proxy are asked about")
	})
	reports := map[string]pageReport{}
	for page := range pages {
		query := "?include_eds=true&proxyID=" + url.QueryEscape(proxy)
		response, err := http.Get(admin + "/debug/" + page + query)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			return err
		}
		report := pageReport{Status: response.StatusCode, ContentType: response.Header.Get("content-type"), Bytes: len(text)}
		if err := readPage(page, text); err != nil {
			report.Problem = fmt.Sprint(err)
		}
		reports[page] = report
	}
	return print(reports)
}
