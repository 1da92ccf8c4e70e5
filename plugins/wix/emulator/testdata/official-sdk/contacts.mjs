// Runs the vendor's own SDK against an emulator and prints, as one line of
// JSON, what each call gave: {"name": {"value": ...} | {"error": {...}}, ...}.
// What is right is for the Go test beside it to say.
//
// The SDK builds every path and query itself. Two things lead it here: the
// host option, which is its own way to another host and brings the /_api prefix
// with it, and a fetch that changes nothing but scheme and authority, because
// the SDK insists on https.
import { ApiKeyStrategy, AppStrategy, createClient } from '@wix/sdk';
import { contacts, extendedFields, labels } from '@wix/crm';

const given = JSON.parse(process.argv[2]);
const emulator = new URL(given.url);
const results = {};
const requests = [];

function toEmulator(input, init) {
  const target = new URL(String(input));
  target.protocol = emulator.protocol;
  target.host = emulator.host;
  requests.push(`${init?.method ?? 'GET'} ${target.pathname}`);
  return networkFetch(target, init);
}
const networkFetch = globalThis.fetch;

async function step(name, call) {
  try {
    const value = await call();
    results[name] = { value: value === undefined ? null : value };
    return value;
  } catch (error) {
    results[name] = {
      error: {
        code: error?.details?.applicationError?.code ?? null,
        violations: error?.details?.validationError?.fieldViolations ?? null,
        status: error?.response?.status ?? error?.status ?? null,
        data: error?.details?.applicationError?.data ?? null,
        text: String(error?.message ?? error),
      },
    };
    return undefined;
  }
}

const modules = { contacts, labels, extendedFields };

// 1. An API key, on another host than the vendor's: paths under /_api.
const client = createClient({
  modules,
  auth: ApiKeyStrategy({ apiKey: given.apiKey, siteId: given.siteId }),
  host: { apiBaseUrl: emulator.host },
  fetch: toEmulator,
});

const info = {
  name: { first: 'Nia', last: 'Vale' },
  emails: { items: [{ tag: 'WORK', email: 'nia.vale@example.com', primary: true }, { tag: 'HOME', email: 'nia@example.com' }] },
  phones: { items: [{ tag: 'MOBILE', countryCode: 'GB', phone: '020 7946 0958', primary: true }] },
  addresses: { items: [{ tag: 'WORK', address: { addressLine1: '2 Moss Row', city: 'York', subdivision: 'GB-ENG', country: 'GB', postalCode: 'YO1 7HH' } }] },
  company: 'Vale Ltd',
  jobTitle: 'Gardener',
};

const created = await step('create', () => client.contacts.createContact(info));
const id = created?.contact?._id;
await step('create again', () => client.contacts.createContact(info));
await step('create a duplicate on purpose', () => client.contacts.createContact(info, { allowDuplicates: true }));
await step('create with a bad email', () => client.contacts.createContact({ emails: { items: [{ email: 'nonsense' }] } }));
await step('create with nothing', () => client.contacts.createContact({ company: 'Vale Ltd' }));
await step('get', () => client.contacts.getContact(id));
await step('get basic', () => client.contacts.getContact(id, { fieldsets: ['BASIC'] }));
await step('get unknown', () => client.contacts.getContact(given.unknownId));
await step('get malformed', () => client.contacts.getContact('4711'));
await step('get merged away', () => client.contacts.getContact(given.mergedAwayId));
await step('query with the builder', async () => {
  const found = await client.contacts.queryContacts().eq('primaryInfo.email', 'nia.vale@example.com').ascending('_createdDate').limit(10).find();
  return { ids: found.items.map((item) => item._id), total: found.totalCount };
});
await step('query with a query object', async () => {
  const found = await client.contacts.queryContacts({
    filter: { 'info.name.last': { $startsWith: 'Va' } },
    sort: [{ fieldName: '_createdDate', order: 'DESC' }],
    paging: { limit: 1, offset: 0 },
    fieldsets: ['BASIC'],
  });
  return { items: found.contacts, paging: found.pagingMetadata };
});
await step('query every page', async () => {
  const ids = [];
  let found = await client.contacts.queryContacts().limit(10).find();
  ids.push(...found.items.map((item) => item._id));
  while (found.hasNext()) {
    found = await found.next();
    ids.push(...found.items.map((item) => item._id));
  }
  return { ids };
});
await step('query what cannot be filtered', () => client.contacts.queryContacts().eq('info.emails.items.email', 'x').find());
await step('list', () => client.contacts.listContacts({ paging: { limit: 2, offset: 1 }, sort: { fieldName: 'createdDate', order: 'ASC' }, fieldsets: ['BASIC', 'EXTENDED'] }));

const updated = await step('update', () => client.contacts.updateContact(id, { jobTitle: 'Head Gardener' }, created?.contact?.revision));
await step('update with an old revision', () => client.contacts.updateContact(id, { jobTitle: 'Gardener' }, created?.contact?.revision));
await step('update nothing', () => client.contacts.updateContact(id, {}, updated?.contact?.revision));

const label = await step('make a label', () => client.labels.findOrCreateLabel('Emulated'));
const key = label?.label?.key;
await step('find the label', () => client.labels.findOrCreateLabel('Emulated'));
await step('get the label', () => client.labels.getLabel(key));
await step('rename the label', () => client.labels.renameLabel(key, { displayName: 'Renamed' }));
await step('list labels', () => client.labels.listLabels());
await step('query labels', async () => (await client.labels.queryLabels().eq('displayName', 'Renamed').find()).items);
await step('label', () => client.contacts.labelContact(id, [key, 'custom.vip']));
await step('unlabel', () => client.contacts.unlabelContact(id, ['custom.vip']));
await step('label with a label that is not there', () => client.contacts.labelContact(id, ['custom.none']));
await step('delete the label', () => client.labels.deleteLabel(key));
await step('get the deleted label', () => client.labels.getLabel(key));

const field = await step('make a field', () => client.extendedFields.findOrCreateExtendedField('Hat Size', 'NUMBER'));
const fieldKey = field?.field?.key;
const before = await step('get before the field', () => client.contacts.getContact(id));
await step('set the field', () => client.contacts.updateContact(id, { extendedFields: { items: { [fieldKey]: 58 } } }, before?.revision));
await step('query by the field', async () => (await client.contacts.queryContacts().eq(`info.extendedFields.${fieldKey}`, 58).find()).items.map((item) => item._id));
await step('list fields', async () => (await client.extendedFields.listExtendedFields()).fields.map((item) => item.key));
await step('delete the field', () => client.extendedFields.deleteExtendedField(fieldKey));

await step('merge', async () => {
  const source = await client.contacts.createContact({ name: { first: 'Double' }, phones: { items: [{ phone: '555 0142' }] } });
  const target = await client.contacts.getContact(id);
  await client.contacts.mergeContacts(id, target.revision, { sourceContactIds: [source.contact._id] });
  const through = await client.contacts.getContact(source.contact._id);
  return { target: id, through: through._id, phones: through.info.phones.items.map((item) => item.phone) };
});
await step('bulk delete', () => client.contacts.bulkDeleteContacts({ filter: { 'info.name.last': 'Nobody' } }));
await step('bulk delete without filter', () => client.contacts.bulkDeleteContacts({}));

await step('delete', () => client.contacts.deleteContact(id));
await step('delete again', () => client.contacts.deleteContact(id));
await step('get deleted', () => client.contacts.getContact(id));
await step('delete a member', () => client.contacts.deleteContact(given.memberContactId));

const stranger = createClient({ modules, auth: ApiKeyStrategy({ apiKey: 'wrong', siteId: given.siteId }), host: { apiBaseUrl: emulator.host }, fetch: toEmulator });
await step('wrong key', () => stranger.contacts.listContacts());
const keyRequests = requests.splice(0);

// 2. An app, on the vendor's own host: the strategy asks www.wixapis.com for a
// token with the global fetch, and contacts are on the public paths.
globalThis.fetch = toEmulator;
const app = createClient({
  modules,
  auth: AppStrategy({ appId: given.clientId, appSecret: given.clientSecret, instanceId: given.instanceId }),
});
const byApp = await step('app create', () => app.contacts.createContact({ name: { first: 'App' }, emails: { items: [{ email: 'app@example.com' }] } }));
await step('app get', () => app.contacts.getContact(byApp?.contact?._id));
await step('app query', async () => (await app.contacts.queryContacts().eq('primaryInfo.email', 'app@example.com').find()).items.map((item) => item._id));
await step('app update', () => app.contacts.updateContact(byApp?.contact?._id, { company: 'App Ltd' }, byApp?.contact?.revision));
await step('app label', () => app.labels.findOrCreateLabel('VIP'));
await step('app delete', () => app.contacts.deleteContact(byApp?.contact?._id));
const impostor = createClient({ modules, auth: AppStrategy({ appId: given.clientId, appSecret: 'wrong', instanceId: given.instanceId }) });
await step('app with a wrong secret', () => impostor.contacts.listContacts());

process.stdout.write(JSON.stringify({ results, keyRequests, appRequests: requests }) + '\n');
