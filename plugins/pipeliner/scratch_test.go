package main
import ("testing";"fmt";"github.com/unicrm/unicrm/plugins/pipeliner/emulator";"github.com/unicrm/unicrm/sdk/providertest")
func TestScratch(t *testing.T){
 k:=providertest.Start(t,provider,emulator.Definition,"api_key",nil)
 all:=k.List(t,7)
 fmt.Println(len(all), len(k.Emulator.Calls()))
 for _,c:=range all[:2]{ fmt.Println(string(providertest.JSON(t,&c))) }
 for _,c:=range all { fmt.Println(*c.ID, c.Name!=nil, c.Account!=nil, len(c.Tags)) }
 c:=k.Call(t)
 g,err:=getContact(providertest.Context(t),c,*all[0].ID); fmt.Println(g!=nil,err,c.IsPartial())
 d,err:=deleteContact(providertest.Context(t),k.Call(t),*all[0].ID); fmt.Println(string(d.RemoteData),err)
 _,err=deleteContact(providertest.Context(t),k.Call(t),*all[0].ID); fmt.Println(err)
 _,err=deleteContact(providertest.Context(t),k.Call(t),"01f00000-c2a5-1382-e65c-8ba419625bef"); fmt.Println(err)
 fmt.Println(k.Emulator.Calls()[0].Query, k.Emulator.Calls()[0].Path)
}
