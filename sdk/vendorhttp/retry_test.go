package vendorhttp

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk/errs"
)

const callTime = 30 * time.Second

var methods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

func TestARequestThatWasNotSentIsSentAgainWhateverItsMethod(t *testing.T) {
	for _, method := range methods {
		t.Run(method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				vendor := script(t, refused, refused, refused, answers(200, `{"id":5}`))
				client := vendor.client(Vendor{})
				response, err := client.Main(within(t, callTime), request(method))
				require.NoError(t, err)
				assert.Equal(t, `{"id":5}`, string(response.Body))
				assert.Len(t, vendor.requests(), 1)
				assert.Equal(t, 4, vendor.dialled())
				assert.False(t, client.DeleteResent(), "a DELETE that was never sent was not sent twice")
				for try, wait := range vendor.waits() {
					assert.Less(t, wait, (500*time.Millisecond)<<try, "the wait before try %d", try+2)
				}
			})
		})
	}
}

func TestAVendorThatCannotBeReachedIsTriedFourTimesInAll(t *testing.T) {
	for _, method := range methods {
		t.Run(method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				vendor := script(t, refused)
				client := vendor.client(Vendor{})
				response, err := client.Main(within(t, callTime), request(method))
				e := requireReason(t, err, errs.VendorUnavailable)
				assert.Nil(t, response)
				assert.Nil(t, e.Vendor, "no answer of the vendor caused it")
				assert.Contains(t, e.Message, "Acme CRM could not be reached")
				assert.NotContains(t, e.Message, "vendor.test", "the URL may hold the caller's data")
				assert.Equal(t, 4, vendor.dialled())
				assert.Empty(t, vendor.requests())
				assert.False(t, client.DeleteResent())
			})
		})
	}
}

func TestARateLimitIsWaitedOutWhateverTheMethod(t *testing.T) {
	for _, method := range methods {
		t.Run(method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				vendor := script(t, answers(429, "", "Retry-After: 2"), answers(503, "", "Retry-After: 3"), answers(200, `{}`))
				client := vendor.client(Vendor{})
				_, err := client.Main(within(t, callTime), request(method))
				require.NoError(t, err)
				assert.Equal(t, []time.Duration{2 * time.Second, 3 * time.Second}, vendor.waits())
				requests := vendor.requests()
				require.Len(t, requests, 3)
				assert.Equal(t, requests[0], requests[2], "the same request is sent again, body and all")
				assert.False(t, client.DeleteResent(), "a refused DELETE was answered, so nothing is in doubt")
			})
		})
	}
}

func TestARateLimitWithoutRetryAfterIsWaitedOutWithAGrowingWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vendor := script(t, answers(429, `{"message":"slow down"}`))
		_, err := vendor.client(Vendor{}).Main(within(t, callTime), request(http.MethodPost))
		e := requireReason(t, err, errs.VendorRateLimited)
		assert.Equal(t, "slow down", e.Message)
		assert.Equal(t, 429, e.Vendor.Status)
		assert.Zero(t, e.RetryAfter, "the vendor gave none")
		require.Len(t, vendor.requests(), 4)
		for try, wait := range vendor.waits() {
			assert.Less(t, wait, (500*time.Millisecond)<<try)
		}
	})
}

func TestAnUnavailableVendorIsAskedAgainOnlyWhenItSaysWhen(t *testing.T) {
	for _, status := range []int{500, 502, 503, 504} {
		for _, method := range methods {
			synctest.Test(t, func(t *testing.T) {
				vendor := script(t, answers(status, `{"message":"down"}`))
				_, err := vendor.client(Vendor{}).Main(within(t, callTime), request(method))
				e := requireReason(t, err, errs.VendorUnavailable)
				assert.Equal(t, status, e.HTTPStatus())
				assert.Len(t, vendor.requests(), 1, "%s %d", method, status)
			})
		}
	}
	synctest.Test(t, func(t *testing.T) {
		vendor := script(t, answers(503, "", "Retry-After: 1"))
		_, err := vendor.client(Vendor{}).Main(within(t, callTime), request(http.MethodGet))
		e := requireReason(t, err, errs.VendorUnavailable)
		assert.Equal(t, time.Second, e.RetryAfter)
		assert.Len(t, vendor.requests(), 4)
	})
}

func TestOtherFailuresWithRetryAfterAreNotSentAgain(t *testing.T) {
	for _, status := range []int{400, 404, 409, 500, 502} {
		synctest.Test(t, func(t *testing.T) {
			vendor := script(t, answers(status, "", "Retry-After: 1"))
			_, err := vendor.client(Vendor{}).Main(within(t, callTime), request(http.MethodGet))
			require.Error(t, err)
			assert.Len(t, vendor.requests(), 1, "%d", status)
		})
	}
}

func TestAWaitThatDoesNotFitTheDeadlineIsToldInsteadOfWaited(t *testing.T) {
	for _, status := range []int{429, 503} {
		synctest.Test(t, func(t *testing.T) {
			vendor := script(t, answers(status, "", "Retry-After: 31"))
			start := time.Now()
			_, err := vendor.client(Vendor{}).Main(within(t, callTime), request(http.MethodGet))
			var e *errs.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, 31*time.Second, e.RetryAfter)
			assert.Equal(t, status, e.Vendor.Status)
			assert.Len(t, vendor.requests(), 1)
			assert.Zero(t, time.Since(start), "there is no use in waiting first")
		})
	}
}

func TestRetryAfterMayBeADate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		date := time.Now().Add(4 * time.Second).UTC().Format(http.TimeFormat)
		vendor := script(t, answers(429, "", "Retry-After: "+date), answers(200, `{}`))
		_, err := vendor.client(Vendor{}).Main(within(t, callTime), request(http.MethodGet))
		require.NoError(t, err)
		assert.Equal(t, []time.Duration{4 * time.Second}, vendor.waits())
	})
}

func TestAProviderMayKnowBetterHowLongToWait(t *testing.T) {
	t.Run("it waits as it is told", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			vendor := script(t, answers(429, "", "Retry-After: 1", "X-Reset: 7"), answers(200, `{}`))
			var tries []int
			_, err := vendor.client(Vendor{RetryWait: func(r *Response, try int) (time.Duration, bool) {
				tries = append(tries, try)
				assert.Equal(t, "7", r.Header.Get("X-Reset"))
				return 7 * time.Second, true
			}}).Main(within(t, callTime), request(http.MethodGet))
			require.NoError(t, err)
			assert.Equal(t, []time.Duration{7 * time.Second}, vendor.waits())
			assert.Equal(t, []int{0}, tries)
		})
	})
	t.Run("it may say that waiting cannot help", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			vendor := script(t, answers(429, "", "Retry-After: 1"))
			_, err := vendor.client(Vendor{RetryWait: func(*Response, int) (time.Duration, bool) { return 0, false }}).Main(within(t, callTime), request(http.MethodGet))
			e := requireReason(t, err, errs.VendorRateLimited)
			assert.Equal(t, time.Second, e.RetryAfter)
			assert.Len(t, vendor.requests(), 1)
		})
	})
	t.Run("it cannot make a plain 503 or another failure one that is waited out", func(t *testing.T) {
		for _, status := range []int{503, 500, 404} {
			synctest.Test(t, func(t *testing.T) {
				vendor := script(t, answers(status, ""))
				_, err := vendor.client(Vendor{RetryWait: func(*Response, int) (time.Duration, bool) {
					t.Error("asked for a status that is not to be retried")
					return 0, true
				}}).Main(within(t, callTime), request(http.MethodGet))
				require.Error(t, err)
				assert.Len(t, vendor.requests(), 1)
			})
		}
	})
	t.Run("a wait of its own that does not fit is told to the caller", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			vendor := script(t, answers(429, ""))
			_, err := vendor.client(Vendor{RetryWait: func(*Response, int) (time.Duration, bool) { return time.Minute, true }}).Main(within(t, callTime), request(http.MethodGet))
			e := requireReason(t, err, errs.VendorRateLimited)
			assert.Equal(t, time.Minute, e.RetryAfter)
			assert.Len(t, vendor.requests(), 1)
		})
	})
}

// broken are the ways in which a connection ends after the request was read.
var broken = map[string]step{
	"before a byte of the answer":       cut(""),
	"within the status line":            cut("HTTP/1.1 20"),
	"within the headers":                cut("HTTP/1.1 200 OK\r\nContent-Le"),
	"before the body":                   cut(head(200, 10)),
	"within the body":                   cut(head(200, 10) + `{"id`),
	"within a chunk":                    cut("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n{\"id"),
	"within a failure's body":           cut(head(404, 100) + `{"err`),
	"with something that is not HTTP":   cut("SSH-2.0-OpenSSH_9.2\r\n\r\n"),
	"with more headers than can be had": cut("HTTP/1.1 200 OK\r\n" + "X-A: " + hugeHeader()),
}

func hugeHeader() string {
	block := make([]byte, 2<<20)
	for i := range block {
		block[i] = 'a'
	}
	return string(block) + "\r\n\r\n"
}

func TestAReadWhoseConnectionBreaksIsSentFourTimesInAll(t *testing.T) {
	for name, how := range broken {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				vendor := script(t, how)
				response, err := vendor.client(Vendor{}).Main(within(t, callTime), request(http.MethodGet))
				e := requireReason(t, err, errs.VendorUnavailable)
				assert.Nil(t, response)
				assert.Nil(t, e.Vendor)
				assert.Less(t, len(e.Message), 500)
				assert.Len(t, vendor.requests(), 4)
			})
			synctest.Test(t, func(t *testing.T) {
				vendor := script(t, how, how, how, answers(200, `{"id":5}`))
				_, err := vendor.client(Vendor{}).Main(within(t, callTime), request(http.MethodGet))
				require.NoError(t, err)
				assert.Len(t, vendor.requests(), 4)
			})
		})
	}
}

func TestAPostThatReadsIsSentAgainLikeAGet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		search := request(http.MethodPost)
		search.ReadOnly = true
		vendor := script(t, cut(""), cut(""), answers(200, `[]`))
		_, err := vendor.client(Vendor{}).Main(within(t, callTime), search)
		require.NoError(t, err)
		requests := vendor.requests()
		require.Len(t, requests, 3)
		assert.Equal(t, requests[0].body, requests[2].body)

		vendor = script(t, cut(""))
		_, err = vendor.client(Vendor{}).Main(within(t, callTime), search)
		requireReason(t, err, errs.VendorUnavailable)
		assert.Len(t, vendor.requests(), 4)
	})
}

func TestAWriteWhoseConnectionBreaksIsNeverSentAgain(t *testing.T) {
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch} {
		for name, how := range broken {
			t.Run(method+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					vendor := script(t, how, answers(200, `{}`))
					client := vendor.client(Vendor{})
					response, err := client.Main(within(t, callTime), request(method))
					requireReason(t, err, errs.OutcomeUnknown)
					assert.Nil(t, response)
					assert.Len(t, vendor.requests(), 1)
					assert.False(t, client.DeleteResent())
				})
			})
		}
	}
}

func TestADeleteWhoseConnectionBreaksIsSentOnceMore(t *testing.T) {
	for name, how := range broken {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				vendor := script(t, how, answers(404, `{"message":"no such contact"}`))
				client := vendor.client(Vendor{})
				_, err := client.Main(within(t, callTime), request(http.MethodDelete))
				requireReason(t, err, errs.RecordNotFound)
				assert.True(t, client.DeleteResent(), "a not-found now means that it is gone")
				assert.Len(t, vendor.requests(), 2)
			})
			synctest.Test(t, func(t *testing.T) {
				vendor := script(t, how, answers(204, ""))
				client := vendor.client(Vendor{})
				_, err := client.Main(within(t, callTime), request(http.MethodDelete))
				require.NoError(t, err)
				assert.True(t, client.DeleteResent())
				assert.Len(t, vendor.requests(), 2)
			})
		})
	}
}

func TestADeleteThatStaysInDoubtIsOutcomeUnknown(t *testing.T) {
	for name, second := range map[string]step{
		"the connection breaks again":      cut(""),
		"the second connection is refused": refused,
		"500":                              answers(500, `{"message":"oops"}`),
		"502":                              answers(502, `<html>bad gateway</html>`),
		"503":                              answers(503, ""),
		"503 with a wait that is too long": answers(503, "", "Retry-After: 60"),
		"429 with a wait that is too long": answers(429, "", "Retry-After: 60"),
		"a redirect":                       answers(302, "", "Location: /login"),
		"a refusal of the credentials":     answers(401, ""),
		"a refusal of the request":         answers(400, ""),
		"more than can be read":            endless,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				vendor := script(t, cut(""), second)
				client := vendor.client(Vendor{})
				_, err := client.Main(within(t, callTime), request(http.MethodDelete))
				requireReason(t, err, errs.OutcomeUnknown)
				assert.True(t, client.DeleteResent())
				assert.LessOrEqual(t, len(vendor.requests()), 2)
				assert.Equal(t, 2, vendor.dialled())
			})
		})
	}
}

func TestADeleteRefusedAfterItsResendMayWaitAndLearnMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vendor := script(t, cut(""), answers(429, "", "Retry-After: 1"), answers(404, ""))
		client := vendor.client(Vendor{})
		_, err := client.Main(within(t, callTime), request(http.MethodDelete))
		requireReason(t, err, errs.RecordNotFound)
		assert.True(t, client.DeleteResent())
		assert.Len(t, vendor.requests(), 3)
	})
	synctest.Test(t, func(t *testing.T) {
		vendor := script(t, cut(""), answers(429, ""))
		_, err := vendor.client(Vendor{}).Main(within(t, callTime), request(http.MethodDelete))
		requireReason(t, err, errs.OutcomeUnknown)
		assert.Len(t, vendor.requests(), 4, "and never more than four in all")
	})
}

func TestADeleteIsSentAgainForEachRuleButFourTimesInAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vendor := script(t, refused, answers(429, "", "Retry-After: 0", "Connection: close"), cut(""), answers(404, ""))
		client := vendor.client(Vendor{})
		_, err := client.Main(within(t, callTime), request(http.MethodDelete))
		requireReason(t, err, errs.RecordNotFound)
		assert.True(t, client.DeleteResent())
		assert.Len(t, vendor.requests(), 3)
	})
	synctest.Test(t, func(t *testing.T) {
		vendor := script(t, refused, refused, refused, cut(""))
		client := vendor.client(Vendor{})
		_, err := client.Main(within(t, callTime), request(http.MethodDelete))
		requireReason(t, err, errs.OutcomeUnknown)
		assert.Len(t, vendor.requests(), 1, "the tries are used up")
		assert.False(t, client.DeleteResent(), "it was not sent a second time")
	})
}

func TestAResentDeleteBesideTheMainCallProvesNothingOfTheMainOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vendor := script(t, cut(""), answers(204, ""), answers(404, ""))
		client := vendor.client(Vendor{})
		_, err := client.Side(within(t, callTime), Request{Method: http.MethodDelete, Path: []string{"links", "9"}})
		require.NoError(t, err)
		_, err = client.Main(within(t, callTime), request(http.MethodDelete))
		requireReason(t, err, errs.RecordNotFound)
		assert.False(t, client.DeleteResent(), "the contact's own DELETE went out once; its not-found is a not-found")
	})
	synctest.Test(t, func(t *testing.T) {
		vendor := script(t, cut(""), answers(404, ""), answers(200, `{}`))
		client := vendor.client(Vendor{})
		_, err := client.Main(within(t, callTime), request(http.MethodDelete))
		requireReason(t, err, errs.RecordNotFound)
		_, err = client.Side(within(t, callTime), request(http.MethodGet))
		require.NoError(t, err)
		assert.True(t, client.DeleteResent(), "what was asked afterwards changes nothing")
	})
	synctest.Test(t, func(t *testing.T) {
		vendor := script(t, cut(""), answers(204, ""), answers(404, ""))
		client := vendor.client(Vendor{})
		_, err := client.Main(within(t, callTime), request(http.MethodDelete))
		require.NoError(t, err)
		_, err = client.Main(within(t, callTime), Request{Method: http.MethodDelete, Path: []string{"contacts", "6"}})
		requireReason(t, err, errs.RecordNotFound)
		assert.False(t, client.DeleteResent(), "the last Main call counts")
	})
}

func TestASecondDeleteOfOneClientHasTriesOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vendor := script(t, cut(""), answers(204, "", "Connection: close"), refused, cut(""), answers(204, ""))
		client := vendor.client(Vendor{})
		_, err := client.Side(within(t, callTime), request(http.MethodDelete))
		require.NoError(t, err)
		_, err = client.Main(within(t, callTime), request(http.MethodDelete))
		require.NoError(t, err)
		assert.Len(t, vendor.requests(), 4)
	})
}

// A kept connection that breaks is where net/http by itself sends a read again,
// without telling anybody.
func TestAReadOnKeptConnectionsIsStillSentFourTimesInAll(t *testing.T) {
	const kept = 6
	synctest.Test(t, func(t *testing.T) {
		var together sync.WaitGroup
		together.Add(kept)
		waitsForTheOthers := func(conn net.Conn) bool {
			together.Done()
			together.Wait()
			return answers(200, `{}`)(conn)
		}
		var steps []step
		for range kept {
			steps = append(steps, waitsForTheOthers)
		}
		vendor := script(t, append(steps, cut(""))...)
		client := vendor.client(Vendor{})
		pool := client.pool
		var done sync.WaitGroup
		for range kept {
			done.Go(func() {
				own := clientFor(t, pool, Vendor{}, Options{BaseURLOverride: "http://vendor.test"})
				_, err := own.Main(within(t, callTime), request(http.MethodGet))
				assert.NoError(t, err)
			})
		}
		done.Wait()
		synctest.Wait()
		require.Equal(t, kept, vendor.dialled())
		_, err := client.Main(within(t, callTime), request(http.MethodGet))
		requireReason(t, err, errs.VendorUnavailable)
		assert.Len(t, vendor.requests(), kept+4)
	})
}

func TestAWriteWithAnIdempotencyKeyIsNotSentAgainBehindOurBack(t *testing.T) {
	for _, method := range []string{http.MethodPost, http.MethodDelete} {
		for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
			synctest.Test(t, func(t *testing.T) {
				vendor := script(t, answers(200, `{}`), cut(""))
				client := vendor.client(Vendor{})
				_, err := client.Main(within(t, callTime), request(http.MethodGet))
				require.NoError(t, err)
				keyed := request(method)
				keyed.Header = http.Header{name: {"k"}}
				_, err = client.Main(within(t, callTime), keyed)
				requireReason(t, err, errs.OutcomeUnknown)
				want := 2
				if method == http.MethodDelete {
					want = 3
				}
				assert.Len(t, vendor.requests(), want, "%s with %s", method, name)
			})
		}
	}
}

func TestAConnectionThatTheVendorGaveUpWhileIdleIsNoTrouble(t *testing.T) {
	for _, method := range methods {
		synctest.Test(t, func(t *testing.T) {
			closes := func(conn net.Conn) bool { return answers(200, `{}`)(conn) && false }
			vendor := script(t, closes)
			client := vendor.client(Vendor{})
			for range 3 {
				_, err := client.Main(within(t, callTime), request(method))
				require.NoError(t, err, method)
				synctest.Wait()
			}
			assert.Len(t, vendor.requests(), 3)
		})
	}
}

func TestAReadThatIsNotAnsweredInTimeIsAVendorTimeout(t *testing.T) {
	search := request(http.MethodPost)
	search.ReadOnly = true
	for _, raw := range []string{"", "HTTP/1.1 200", head(200, 10), head(200, 10) + `{"id`} {
		for _, read := range []Request{request(http.MethodGet), search} {
			synctest.Test(t, func(t *testing.T) {
				vendor := script(t, hangs(raw))
				start := time.Now()
				response, err := vendor.client(Vendor{}).Main(within(t, callTime), read)
				requireReason(t, err, errs.VendorTimeout)
				assert.Nil(t, response)
				assert.Len(t, vendor.requests(), 1)
				assert.Equal(t, callTime, time.Since(start))
			})
		}
	}
}

func TestAWriteThatIsNotAnsweredInTimeIsOutcomeUnknown(t *testing.T) {
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		for _, raw := range []string{"", head(200, 10), head(200, 10) + `{"id`} {
			synctest.Test(t, func(t *testing.T) {
				vendor := script(t, hangs(raw))
				start := time.Now()
				_, err := vendor.client(Vendor{}).Main(within(t, callTime), request(method))
				requireReason(t, err, errs.OutcomeUnknown)
				assert.Len(t, vendor.requests(), 1, method)
				assert.Equal(t, callTime, time.Since(start))
			})
		}
	}
}

func TestAResentDeleteThatIsNotAnsweredInTimeIsOutcomeUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vendor := script(t, cut(""), hangs(""))
		_, err := vendor.client(Vendor{}).Main(within(t, callTime), request(http.MethodDelete))
		requireReason(t, err, errs.OutcomeUnknown)
		assert.Len(t, vendor.requests(), 2)
	})
}

func TestAResentDeleteThatNeverLeftInTimeIsOutcomeUnknownStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vendor := script(t, cut(""))
		client := vendor.client(Vendor{})
		transportOf(client.pool).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			if vendor.dialled() == 0 {
				return vendor.dial(ctx, network, address)
			}
			<-ctx.Done()
			return nil, ctx.Err()
		}
		_, err := client.Main(within(t, callTime), request(http.MethodDelete))
		requireReason(t, err, errs.OutcomeUnknown)
		assert.Len(t, vendor.requests(), 1)
	})
}

func TestAWriteThatNeverLeftInTimeIsNotInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vendor := script(t, refused)
		client := vendor.client(Vendor{})
		transportOf(client.pool).DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		_, err := client.Main(within(t, callTime), request(http.MethodDelete))
		requireReason(t, err, errs.VendorTimeout)
	})
}

func TestACancelledCallEndsAsCancelled(t *testing.T) {
	for name, how := range map[string]step{
		"while the vendor thinks":     hangs(""),
		"within the answer":           hangs(head(200, 10) + `{`),
		"while a limit is waited out": answers(429, "", "Retry-After: 20"),
	} {
		for _, method := range methods {
			t.Run(name+" "+method, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					vendor := script(t, how)
					ctx, cancel := context.WithCancel(within(t, callTime))
					time.AfterFunc(time.Second, cancel)
					start := time.Now()
					_, err := vendor.client(Vendor{}).Main(ctx, request(method))
					require.ErrorIs(t, err, context.Canceled)
					assert.Equal(t, time.Second, time.Since(start))
					assert.Len(t, vendor.requests(), 1)
				})
			})
		}
	}
}

func TestNothingIsSentWhenTheTimeIsUpAlready(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vendor := script(t, answers(200, `{}`))
		ctx, cancel := context.WithTimeout(t.Context(), 0)
		defer cancel()
		_, err := vendor.client(Vendor{}).Main(ctx, request(http.MethodDelete))
		requireReason(t, err, errs.VendorTimeout)
		assert.Empty(t, vendor.requests())
	})
}

func TestABackoffNeverOutlastsTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vendor := script(t, refused)
		client := vendor.client(Vendor{})
		client.pool.backoff = func(int) time.Duration { return 20 * time.Second }
		start := time.Now()
		_, err := client.Main(within(t, callTime), request(http.MethodGet))
		requireReason(t, err, errs.VendorUnavailable)
		assert.Equal(t, 20*time.Second, time.Since(start), "one wait of 20 s fits into 30 s, a second one does not")
		assert.Equal(t, 2, vendor.dialled())
	})
}

func TestBackoffGrowsAndIsRandom(t *testing.T) {
	for try := range 8 {
		limit := (500 * time.Millisecond) << min(try, 6)
		var most time.Duration
		for range 2000 {
			wait := fullJitter(try)
			require.GreaterOrEqual(t, wait, time.Duration(0))
			require.Less(t, wait, limit)
			most = max(most, wait)
		}
		assert.Greater(t, most, limit/2, "try %d", try)
	}
}

// TestRealSocketsBreakTheSameWay repeats the rules that matter most over TCP,
// where an end is a reset as often as an end of file.
func TestRealSocketsBreakTheSameWay(t *testing.T) {
	for _, reset := range []bool{false, true} {
		for method, want := range map[string]struct {
			requests int64
			reason   errs.Reason
		}{
			http.MethodGet:    {4, errs.VendorUnavailable},
			http.MethodPost:   {1, errs.OutcomeUnknown},
			http.MethodPatch:  {1, errs.OutcomeUnknown},
			http.MethodDelete: {2, errs.OutcomeUnknown},
		} {
			var accepted atomic.Int64
			listener := listen(t, func(conn net.Conn) {
				accepted.Add(1)
				buffer := make([]byte, 4096)
				_, _ = conn.Read(buffer)
				if reset {
					_ = conn.(*net.TCPConn).SetLinger(0)
				}
			})
			pool := NewPool(nil, "")
			pool.backoff = func(int) time.Duration { return 0 }
			client := clientFor(t, pool, Vendor{}, Options{BaseURLOverride: "http://" + listener.Addr().String()})
			_, err := client.Main(within(t, callTime), request(method))
			requireReason(t, err, want.reason)
			assert.Equal(t, want.requests, accepted.Load(), "%s reset %v", method, reset)
			pool.Close()
		}
	}
}

func TestARefusingPortIsDialledFourTimes(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	pool := NewPool(nil, "")
	var dials atomic.Int64
	dial := transportOf(pool).DialContext
	transportOf(pool).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return dial(ctx, network, address)
	}
	pool.backoff = func(int) time.Duration { return 0 }
	client := clientFor(t, pool, Vendor{}, Options{BaseURLOverride: "http://" + address})
	_, err = client.Main(within(t, callTime), request(http.MethodPost))
	requireReason(t, err, errs.VendorUnavailable)
	assert.EqualValues(t, 4, dials.Load())
}

// listen serves raw connections on loopback, each closed when serve returns.
func listen(t *testing.T, serve func(net.Conn)) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var serving sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				serve(conn)
				_ = conn.Close()
			})
		}
	})
	return listener
}

// endless answers with more than is ever read.
func endless(conn net.Conn) bool {
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
	block := make([]byte, 1<<20)
	for i := range block {
		block[i] = ' '
	}
	for {
		if _, err := conn.Write(block); err != nil {
			return false
		}
	}
}
