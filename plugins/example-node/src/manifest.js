'use strict';

const fs = require('node:fs');
const path = require('node:path');

/** JSON Schema of an account's credentials. Secrets are writeOnly. */
const credentialsSchema = {
  type: 'object',
  properties: {
    api_key: { type: 'string', minLength: 1, writeOnly: true, title: 'API key', description: 'Example CRM, Settings, API keys.' },
  },
  required: ['api_key'],
  additionalProperties: false,
};

/** The most people that the vendor gives in one page. */
const pageCap = 100;

/** Whole ids only: a 64-bit number. */
const idPattern = '[0-9]{1,19}';

const returned = [
  'id',
  'first_name',
  'last_name',
  'name',
  'title',
  'account',
  'email_addresses.email',
  'email_addresses.type',
  'phone_numbers.number',
  'phone_numbers.type',
  'tags.name',
  'custom_fields',
  'created_at',
  'updated_at',
  'remote_data',
];

/** What the plugin is and can do: the protocol's HandshakeResponse. */
const manifest = {
  slug: 'example-node',
  display_name: 'Example CRM',
  version: fs.readFileSync(path.join(__dirname, '..', 'VERSION'), 'utf8').trim(),
  protocol_versions: [1],
  authentication_methods: [{ name: 'api_key', credentials_schema: Buffer.from(JSON.stringify(credentialsSchema)) }],
  allowed_hosts: ['api.example-crm.test'],
  resources: [
    {
      resource: 'contacts',
      record_id_pattern: idPattern,
      methods: [
        { method: 'METHOD_LIST', returned_fields: returned, page_cap: pageCap },
        { method: 'METHOD_GET', returned_fields: returned },
        { method: 'METHOD_DELETE', delete: { kind: 'KIND_HARD', repeat: 'REPEAT_NOT_FOUND' } },
      ],
    },
  ],
  has_emulator: true,
};

module.exports = { manifest, credentialsSchema, pageCap, idPattern };
