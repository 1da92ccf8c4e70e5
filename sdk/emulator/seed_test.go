package emulator

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMadeUpPeopleAreTheSameEveryTimeAndNobodyReal(t *testing.T) {
	emails := map[string]bool{}
	for i := range 500 {
		p := PersonAt(i)
		assert.Equal(t, p, PersonAt(i))
		assert.False(t, emails[p.Email], p.Email)
		emails[p.Email] = true
		assert.True(t, strings.HasSuffix(p.Email, "@example.com"))
		assert.Regexp(t, `^\+1 202 555 01\d\d$`, p.Phone)
		assert.Regexp(t, `^\+44 7700 900\d{3}$`, p.Mobile)
		assert.NotEmpty(t, p.First+p.Last+p.JobTitle+p.Street+p.City+p.Region+p.Postcode+p.Country)
		assert.Len(t, p.CountryCode, 2)
		assert.Equal(t, Companies()[p.CompanyIndex], p.Company)
		assert.True(t, p.Updated.After(p.Created))
		assert.False(t, p.Created.Before(Epoch))
	}
	companies := Companies()
	companies[0] = "mine"
	assert.NotEqual(t, "mine", Companies()[0])
}
