package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/unicrm/unicrm/host/internal/access"
	"github.com/unicrm/unicrm/host/internal/store"
)

type tokenCommand struct {
	Create tokenCreate `cmd:"" help:"Make a token and print it, the only time that it can be seen."`
	List   tokenList   `cmd:"" help:"List the tokens, without their secrets."`
	Delete tokenDelete `cmd:"" help:"Delete a token by its id."`
}

// storeFlags are shared by the commands that work on the store alone.
type storeFlags struct {
	DataDir string `help:"Folder of the store, made if absent." default:"unicrm-data" env:"UNICRM_DATA_DIR" type:"path"`
	JSON    bool   `help:"Print JSON."`
}

func (f storeFlags) withStore(ctx context.Context, do func(*store.Store) error) error {
	s, err := store.Open(ctx, storePath(f.DataDir))
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.Close())
}

type tokenBody struct {
	ID          string `json:"id"`
	Environment string `json:"environment,omitempty"`
	Operator    bool   `json:"operator,omitempty"`
	Name        string `json:"name"`
	CreatedAt   string `json:"created_at"`
	Token       string `json:"token,omitempty"`
}

func showToken(t store.Token) tokenBody {
	return tokenBody{ID: t.ID, Environment: t.Environment, Operator: t.Operator, Name: t.Name, CreatedAt: t.CreatedAt.UTC().Format(time.RFC3339)}
}

type tokenCreate struct {
	storeFlags
	Environment string `help:"Environment whose accounts the token reaches." placeholder:"NAME" xor:"reach" required:""`
	Operator    bool   `help:"A token that manages plugins and reaches no accounts." xor:"reach" required:""`
	Name        string `help:"What the token is for."`
}

func (tokenCreate) Help() string {
	return "Example:\n  unicrm token create --environment prod --name billing\n  unicrm token create --operator --name deployments"
}

func (c *tokenCreate) Run(ctx context.Context) error {
	return c.withStore(ctx, func(s *store.Store) error {
		make := func() (string, store.Token, error) { return access.New(s).Create(ctx, c.Environment, c.Name) }
		if c.Operator {
			make = func() (string, store.Token, error) { return access.New(s).CreateOperator(ctx, c.Name) }
		}
		secret, token, err := make()
		if err != nil {
			return err
		}
		if !c.JSON {
			fmt.Println(secret)
			return nil
		}
		body := showToken(token)
		body.Token = secret
		return json.NewEncoder(os.Stdout).Encode(body)
	})
}

type tokenList struct{ storeFlags }

func (c *tokenList) Run(ctx context.Context) error {
	return c.withStore(ctx, func(s *store.Store) error {
		tokens, err := s.Tokens(ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			all := []tokenBody{}
			for _, t := range tokens {
				all = append(all, showToken(t))
			}
			return json.NewEncoder(os.Stdout).Encode(all)
		}
		table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tENVIRONMENT\tNAME\tCREATED")
		for _, t := range tokens {
			reach := t.Environment
			if t.Operator {
				reach = "(operator)"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", t.ID, reach, t.Name, t.CreatedAt.UTC().Format(time.RFC3339))
		}
		return table.Flush()
	})
}

type tokenDelete struct {
	storeFlags
	ID string `arg:"" help:"Id of the token, as token list shows it."`
}

func (c *tokenDelete) Run(ctx context.Context) error {
	return c.withStore(ctx, func(s *store.Store) error {
		if err := s.DeleteToken(ctx, c.ID); errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("no token has the id %q", c.ID)
		} else if err != nil {
			return err
		}
		fmt.Println("deleted; a running host stops taking it within seconds")
		return nil
	})
}
