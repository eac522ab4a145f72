'use strict';
// HubSpot's own Node SDK, `@hubspot/api-client`, against the fake HubSpot.
//
// Only `basePath` and the access token are given. With `numberOfApiCallRetries` the SDK waits by itself: 10 s when the
// refusal names the ten-second window, 1 s when it has the text of the search limit, not at all for the day.

const { Client } = require('@hubspot/api-client');
const { baseUrl, token, run, same, holds, refused, spoken } = require('./checks');

const KEY = 'conformance_key';
const CALL_TO_CONTACT = 194;

const client = new Client({ accessToken: token, basePath: baseUrl });
const { contacts } = client.crm;
const made = {};

// The SDK keeps its retries in one place for all clients: the newest client's count for every API that is reached for the
// first time after it. So whoever wants retries takes a client of its own, at once.
const patient = () => new Client({ accessToken: token, basePath: baseUrl, numberOfApiCallRetries: 3 });
const plain = () => new Client({ accessToken: token, basePath: baseUrl });

const contact = (properties) => ({ properties, associations: [] });
const WAITS = /will retry \[(\d+)\] time in \[(\d+)\] ms/;
const waits = (lines) => lines.map((line) => WAITS.exec(line)?.[2]).filter(Boolean);

run([
  ['wrong credential', async () => {
    const stranger = new Client({ accessToken: 'pat-of-nobody', basePath: baseUrl });
    const error = await refused(stranger.crm.contacts.basicApi.getPage());
    same([error.code, error.body.category], [401, 'INVALID_AUTHENTICATION'], 'refusal');
    holds(error.body.correlationId, 'the body has no correlationId');
  }],

  ['access token by refresh token', async () => {
    const answer = await client.oauth.tokensApi.create(
      'refresh_token', undefined, undefined, 'sim-client', 'sim-secret', 'sim-refresh',
    );
    same([answer.tokenType, answer.expiresIn], ['bearer', 1800], 'answer');
    const renewed = new Client({ accessToken: answer.accessToken, basePath: baseUrl });
    same((await renewed.crm.contacts.basicApi.getPage(2)).results.length, 2, 'contacts');
  }],

  ['unique property made', async () => {
    await client.crm.properties.coreApi.create('contacts', {
      name: KEY,
      label: 'Conformance key',
      type: 'string',
      fieldType: 'text',
      groupName: 'contactinformation',
      hasUniqueValue: true,
    });
    const kept = await client.crm.properties.coreApi.getByName('contacts', KEY);
    same([kept.name, kept.hasUniqueValue, kept.type], [KEY, true, 'string'], 'property');
  }],

  ['create', async () => {
    const answer = await contacts.basicApi.create(
      contact({ firstname: 'Mirek', email: 'mirek.olander@example.com', [KEY]: 'js-1' }),
    );
    same([answer.properties.email, answer.archived], ['mirek.olander@example.com', false], 'contact');
    holds(answer.createdAt instanceof Date && !Number.isNaN(answer.createdAt.valueOf()), 'createdAt is no instant');
    made.contact = answer.id;
  }],

  ['find by id', async () => {
    const answer = await contacts.basicApi.getById(made.contact, ['firstname', KEY]);
    same([answer.id, answer.properties.firstname], [made.contact, 'Mirek'], 'contact');
  }],

  ['find by unique property', async () => {
    const answer = await contacts.basicApi.getById('js-1', undefined, undefined, undefined, false, KEY);
    same(answer.id, made.contact, 'id');
  }],

  ['list, page by page', async () => {
    const everybody = await contacts.getAll(undefined, undefined, ['email']);
    const ids = new Set(everybody.map((one) => one.id));
    holds(ids.size > 100, `${ids.size} contacts: a second page was expected`);
    same(ids.size, everybody.length, 'different ids');
    made.seeded = everybody.find((one) => one.properties.email && one.id !== made.contact);
  }],

  ['search', async () => {
    const { email } = made.seeded.properties;
    const answer = await contacts.searchApi.doSearch({
      filterGroups: [{ filters: [{ propertyName: 'email', operator: 'EQ', value: email }] }],
      properties: ['email'],
      limit: 10,
    });
    same([answer.total, answer.results.map((one) => one.id)], [1, [made.seeded.id]], 'found');
  }],

  ['update', async () => {
    await contacts.basicApi.update(made.contact, { properties: { lastname: 'Olander-Dunne' } });
    await contacts.basicApi.update('js-1', { properties: { city: 'Kotka' } }, KEY);
    const kept = await contacts.basicApi.getById(made.contact, ['firstname', 'lastname', 'city']);
    const { firstname, lastname, city } = kept.properties;
    same([firstname, lastname, city], ['Mirek', 'Olander-Dunne', 'Kotka'], 'values');
  }],

  ['upsert', async () => {
    const upserted = async (city) => {
      const answer = await contacts.batchApi.upsert({ inputs: [{ id: 'js-2', idProperty: KEY, properties: { city } }] });
      return answer.results[0];
    };
    const [first, second] = [await upserted('Vaasa'), await upserted('Oulu')];
    same([first._new, second._new, second.id], [true, false, first.id], 'upserts');
    same(second.properties.city, 'Oulu', 'city');
    made.upserted = first.id;
  }],

  ['batch create, read and update', async () => {
    const inputs = [0, 1, 2].map((n) => contact({ firstname: 'Batch', email: `batch.${n}@example.com` }));
    const answer = await contacts.batchApi.create({ inputs });
    same([answer.status, answer.results.length], ['COMPLETE', 3], 'created');
    const ids = answer.results.map((one) => one.id).sort();
    await contacts.batchApi.update({ inputs: ids.map((id) => ({ id, properties: { city: 'Pori' } })) });
    const read = await contacts.batchApi.read({
      inputs: ids.map((id) => ({ id })),
      properties: ['city'],
      propertiesWithHistory: [],
    });
    same(read.results.map((one) => one.id).sort(), ids, 'ids read');
    holds(read.results.every((one) => one.properties.city === 'Pori'), 'a city is not the one written');
  }],

  ['batch with one bad item', async () => {
    const answer = await contacts.batchApi.update({
      inputs: [
        { id: made.contact, properties: { city: 'Lahti' }, objectWriteTraceId: 'good' },
        { id: made.upserted, properties: { no_such: 'x' }, objectWriteTraceId: 'bad' },
      ],
    });
    same([answer.numErrors, answer.results.map((one) => one.id)], [1, [made.contact]], 'outcome');
    same(answer.errors[0].category, 'VALIDATION_ERROR', 'category');
    same(answer.errors[0].context.objectWriteTraceId, ['bad'], 'trace id');
  }],

  ['error: unknown property', async () => {
    const error = await refused(contacts.basicApi.create(contact({ no_such: 'x' })));
    same([error.code, error.body.category], [400, 'VALIDATION_ERROR'], 'refusal');
    same(error.body.errors[0].code, 'PROPERTY_DOESNT_EXIST', 'code');
  }],

  ['error: contact exists', async () => {
    const error = await refused(contacts.basicApi.create(contact({ email: 'mirek.olander@example.com' })));
    same([error.code, error.body.category], [409, 'CONFLICT'], 'refusal');
    same(error.body.message, `Contact already exists. Existing ID: ${made.contact}`, 'message');
  }],

  ['error: no such record', async () => {
    const error = await refused(contacts.basicApi.getById('999999999'));
    same([error.code, error.body.category], [404, 'OBJECT_NOT_FOUND'], 'refusal');
  }],

  ['call logged on a contact', async () => {
    const call = await client.crm.objects.calls.basicApi.create({
      properties: { hs_timestamp: '2026-03-02T09:30:00Z', hs_call_title: 'Renewal', hs_call_duration: '61000' },
      associations: [{
        to: { id: made.contact },
        types: [{ associationCategory: 'HUBSPOT_DEFINED', associationTypeId: CALL_TO_CONTACT }],
      }],
    });
    const read = await client.crm.objects.calls.basicApi.getById(call.id, undefined, undefined, ['contacts']);
    same(read.associations.contacts.results.map((one) => one.id), [made.contact], 'contacts of the call');
    const links = await client.crm.associations.v4.basicApi.getPage('calls', call.id, 'contacts');
    same(links.results.map((one) => String(one.toObjectId)), [made.contact], 'links of the call');
  }],

  ['owners and pipelines', async () => {
    const owners = (await client.crm.owners.ownersApi.getPage()).results;
    holds(owners.length > 0 && owners.every((one) => one.id && one.email), 'owners without id or e-mail address');
    const { stages } = (await client.crm.pipelines.pipelinesApi.getAll('deals')).results[0];
    holds(stages.length > 0 && stages.every((one) => one.id && one.label), 'stages without id or label');
  }],

  ['throttled: ten-second window', async () => {
    let task;
    const lines = await spoken(async () => {
      task = await patient().crm.objects.tasks.basicApi.create({
        properties: { hs_timestamp: '2026-03-02T10:00:00Z', hs_task_subject: 'Ring back' },
        associations: [],
      });
    });
    same(waits(lines), ['10000'], 'waits of the SDK, ms');
    const kept = await plain().crm.objects.tasks.basicApi.getPage(10);
    same(kept.results.map((one) => one.id), [task.id], 'tasks: one, though it was sent twice');
  }],

  ['throttled: search', async () => {
    let found;
    const lines = await spoken(async () => {
      found = await patient().crm.objects.calls.searchApi.doSearch({ limit: 1 });
    });
    same(waits(lines), ['1000'], 'waits of the SDK, ms');
    holds(Array.isArray(found.results), 'no results after the wait');
  }],

  ['throttled: day', async () => {
    const lines = await spoken(async () => {
      const error = await refused(patient().crm.deals.basicApi.create(contact({ dealname: 'Pump refit' })));
      same([error.code, error.body.policyName], [429, 'DAILY'], 'refusal');
    });
    same(waits(lines), [], 'waits of the SDK, ms');
  }],

  ['throttled, without a retry', async () => {
    const note = contact({ hs_timestamp: '2026-03-02T11:00:00Z', hs_note_body: 'Asked for a quote' });
    const { notes } = plain().crm.objects;
    const error = await refused(notes.basicApi.create(note));
    same([error.code, error.body.policyName], [429, 'TEN_SECONDLY_ROLLING'], 'refusal');
    same(error.headers['x-hubspot-ratelimit-interval-milliseconds'], '10000', 'window');
    holds((await notes.basicApi.create(note)).id, 'the note was not made afterwards');
  }],

  ['archive', async () => {
    await contacts.basicApi.archive(made.upserted);
    same((await refused(contacts.basicApi.getById(made.upserted))).code, 404, 'status');
  }],
]);
