package emulator

import (
	"fmt"
	"time"
)

// Person is a made-up contact for seeding. Two emulators seeded with the same
// number hold the same people, each in its vendor's form.
type Person struct {
	First, Last           string
	Email                 string // at example.com, unique by index
	Phone, Mobile         string // from the ranges reserved for fiction
	JobTitle              string
	Company               string
	Street, City          string
	Region, Postcode      string
	Country, CountryCode  string // "United Kingdom", "GB"
	Tags                  []string
	Created, Updated      time.Time
	CompanyIndex          int // which of Companies() it works for
	BirthYear, BirthMonth int
}

var (
	firstNames = []string{"Ada", "Bruno", "Chidi", "Dagny", "Emre", "Farah", "Goran", "Hana", "Ines", "Jun", "Kofi", "Lena", "Milo", "Nora", "Otto"}
	lastNames  = []string{"Quill", "Okafor", "Lindqvist", "Marlowe", "Ferreira", "Tanaka", "Novak"}
	jobTitles  = []string{"Buyer", "Head of Ops", "Engineer", "CFO", "Account Lead"}
	companies  = []string{"Quill Ltd", "Harbour Works", "Northwind Looms", "Umber & Sons"}
	places     = []struct{ street, city, region, postcode, country, code string }{
		{"1 Ink Lane", "Leeds", "GB-ENG", "LS1 1AA", "United Kingdom", "GB"},
		{"12 Quay St", "Bergen", "NO-46", "5003", "Norway", "NO"},
		{"4 Quay Rd", "Cork", "IE-CO", "T12 AB34", "Ireland", "IE"},
		{"77 Example Ave", "Buffalo", "US-NY", "14201", "United States", "US"},
	}
)

// Companies returns the made-up companies that seeded people work for.
func Companies() []string { return append([]string(nil), companies...) }

// PersonAt returns the i-th made-up person, counted from zero, always the same.
func PersonAt(i int) Person {
	place := places[i%len(places)]
	first, last := firstNames[i%len(firstNames)], lastNames[i%len(lastNames)]
	company := i % len(companies)
	created := Epoch.Add(time.Duration(i) * 26 * time.Hour)
	p := Person{
		First: first, Last: last,
		Email:    fmt.Sprintf("contact%d@example.com", i+1),
		Phone:    fmt.Sprintf("+1 202 555 %04d", 100+i%100),
		Mobile:   fmt.Sprintf("+44 7700 900%03d", i%1000),
		JobTitle: jobTitles[i%len(jobTitles)],
		Company:  companies[company], CompanyIndex: company,
		Street: place.street, City: place.city, Region: place.region,
		Postcode: place.postcode, Country: place.country, CountryCode: place.code,
		Created: created, Updated: created.Add(time.Duration(i%9+1) * time.Hour),
		BirthYear: 1960 + i%40, BirthMonth: 1 + i%12,
	}
	if i%3 == 0 {
		p.Tags = append(p.Tags, "vip")
	}
	if i%4 == 0 {
		p.Tags = append(p.Tags, "newsletter")
	}
	return p
}
