package rsp

import "strings"

// publisherOf splits an agent, "name/version (platform)".
func publisherOf(agent string) *publisher {
	product, _, _ := strings.Cut(agent, " ")
	name, version, _ := strings.Cut(product, "/")
	return &publisher{Name: name, SDKVersion: version, UserAgent: agent}
}

// agentOf joins what publisherOf splits. Browsers give a user agent that does
// not begin with the name of the library.
func agentOf(p *publisher) string {
	if p == nil {
		return ""
	}
	product := p.Name
	if p.SDKVersion != "" {
		product += "/" + p.SDKVersion
	}
	switch {
	case product == "" || strings.HasPrefix(p.UserAgent, product):
		return p.UserAgent
	case p.UserAgent == "":
		return product
	}
	return product + " (" + p.UserAgent + ")"
}
