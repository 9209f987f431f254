package rest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Lists are given in pages.
const (
	usualPage = 50
	mostPage  = 1000
	mostToken = 64
)

// A token goes on behind the key that follows its first letters, or ends in
// front of it.
const (
	tokenBehind = "PA"
	tokenBefore = "PB"
)

// part is which part of a list is wanted.
type part struct {
	size, number int
	token        string
}

// part reads PageSize, Page and PageToken.
func (f *form) part() part {
	p := part{size: usualPage, token: f.Get("PageToken")}
	if f.Has("PageSize") {
		p.size = f.count("PageSize", 1, mostPage)
	}
	if f.Has("Page") {
		p.number = f.count("Page", 0, 1<<30)
	}
	whole := strings.HasPrefix(p.token, tokenBehind) || strings.HasPrefix(p.token, tokenBefore)
	switch {
	case f.Has("PageToken") && (!whole || len(p.token) > mostToken):
		f.fail(invalidf("PageToken is not one of this list's"))
	case p.number > 0 && p.token == "":
		f.fail(invalidf("Page needs the PageToken of that page"))
	}
	return p
}

// count reads a number within bounds that has no code of its own.
func (f *form) count(name string, least, most int) int {
	n, err := strconv.Atoi(f.Get(name))
	if err != nil || n < least || n > most {
		f.fail(invalidf("%s has to be a number from %d to %d", name, least, most))
		return least
	}
	return n
}

// date reads a day, or a moment; zero: it is not given.
func (f *form) date(name string) time.Time {
	if !f.Has(name) {
		return time.Time{}
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, f.Get(name)); err == nil {
			return t
		}
	}
	f.fail(invalidf("%s has to be a date, like 2006-01-02 or 2006-01-02T15:04:05Z", name))
	return time.Time{}
}

// oneOf reads one of some words; "": it is not given.
func (f *form) oneOf(name string, words ...string) string {
	word := f.Get(name)
	if f.Has(name) && !slices.Contains(words, word) {
		f.fail(invalidf("%s has to be one of %s", name, strings.Join(words, ", ")))
	}
	return word
}

// metaJSON says where in a list a page is.
type metaJSON struct {
	Page        int     `json:"page"`
	PageSize    int     `json:"page_size"`
	FirstURL    string  `json:"first_page_url"`
	PreviousURL *string `json:"previous_page_url"`
	URL         string  `json:"url"`
	NextURL     *string `json:"next_page_url"`
	Key         string  `json:"key"`
}

// cut takes the wanted part out of a list whose keys rise. What is added to the
// list meanwhile shifts nothing.
func cut[T any](list []T, key func(*T) string, p part) (page []T, before, behind bool) {
	from, to := 0, len(list)
	limit := strings.TrimPrefix(strings.TrimPrefix(p.token, tokenBehind), tokenBefore)
	at, found := slices.BinarySearchFunc(list, limit, func(item T, limit string) int {
		return strings.Compare(key(&item), limit)
	})
	switch {
	case strings.HasPrefix(p.token, tokenBefore):
		to = at
		from = max(0, to-p.size)
	case p.token != "":
		if from = at; found {
			from++
		}
		to = min(from+p.size, to)
	default:
		to = min(p.size, to)
	}
	return list[from:to], from > 0 && p.token != "", to < len(list)
}

// paged answers with a page of a list; write makes the JSON of its items.
func paged[T, J any](r *http.Request, name string, list []T, p part, key func(*T) string, write func([]T) []J) any {
	page, before, behind := cut(list, key, p)
	link := func(number int, token string) string {
		query := url.Values{}
		for k, v := range r.Form { // the filters
			query[k] = v
		}
		query.Set("PageSize", strconv.Itoa(p.size))
		query.Set("Page", strconv.Itoa(number))
		query.Del("PageToken")
		if token != "" {
			query.Set("PageToken", token)
		}
		return base(r) + r.URL.EscapedPath() + "?" + query.Encode()
	}
	meta := metaJSON{Page: p.number, PageSize: p.size, FirstURL: link(0, ""), URL: link(p.number, p.token), Key: name}
	if before && len(page) > 0 {
		previous := link(max(p.number-1, 0), tokenBefore+key(&page[0]))
		meta.PreviousURL = &previous
	}
	if behind && len(page) > 0 {
		next := link(p.number+1, tokenBehind+key(&page[len(page)-1]))
		meta.NextURL = &next
	}
	items := write(page)
	if items == nil {
		items = []J{}
	}
	return map[string]any{name: items, "meta": meta}
}
