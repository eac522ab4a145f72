'use strict';
// `jsforce`, the usual Node client, against the fake Salesforce.
//
// Only `instanceUrl` and the access token are given. It tries 503 and its like again for GET, PUT and DELETE, and takes
// the org's usage from a header. A full day is a 403, which it hands on.

const jsforce = require('jsforce');
const { baseUrl, token, run, same, holds, refused } = require('./checks');

const KEY = 'Conformance_Key__c';

const conn = new jsforce.Connection({ instanceUrl: baseUrl, accessToken: token, version: '62.0' });
const made = {};

run([
  ['wrong credential', async () => {
    const stranger = new jsforce.Connection({ instanceUrl: baseUrl, accessToken: '00Dnobody!x', version: '62.0' });
    const error = await refused(stranger.query('SELECT Id FROM Contact LIMIT 1'));
    same(error.errorCode, 'INVALID_SESSION_ID', 'code');
  }],

  ['access token by refresh token', async () => {
    const renewed = new jsforce.Connection({
      oauth2: { loginUrl: baseUrl, clientId: 'sim-client', clientSecret: 'sim-secret' },
      instanceUrl: baseUrl,
      accessToken: '00Dnobody!x',
      refreshToken: 'sim-refresh',
      version: '62.0',
    });
    const tokens = [];
    renewed.on('refresh', (accessToken) => tokens.push(accessToken));
    const found = await renewed.query('SELECT Id FROM Contact LIMIT 1');
    same([found.records.length, tokens], [1, [renewed.accessToken]], 'answer and tokens');
  }],

  ['external id made', async () => {
    const answer = await conn.tooling.create('CustomField', {
      FullName: `Contact.${KEY}`,
      Metadata: { type: 'Text', label: 'Conformance key', length: 80, externalId: true, unique: true },
    });
    same(answer.success, true, 'success');
    const { fields } = await conn.sobject('Contact').describe();
    const field = fields.find((one) => one.name === KEY);
    same([field?.externalId, field?.unique, field?.type], [true, true, 'string'], 'field');
  }],

  ['create', async () => {
    const answer = await conn.sobject('Contact').create({ FirstName: 'Ada-Li', LastName: 'Kvist', Title: 'Buyer' });
    same([answer.success, answer.errors, answer.id.length], [true, [], 18], 'answer');
    made.contact = answer.id;
  }],

  ['find by id', async () => {
    const contact = await conn.sobject('Contact').retrieve(made.contact);
    same([contact.attributes.type, contact.Id, contact.LastName], ['Contact', made.contact, 'Kvist'], 'contact');
  }],

  ['usage told in a header', async () => {
    const { used, limit } = conn.limitInfo.apiUsage;
    holds(used > 0 && used < limit, `usage: ${used} of ${limit}`);
    const limits = await conn.limits();
    same(limits.DailyApiRequests.Max, limit, 'daily limit');
  }],

  ['query, page by page', async () => {
    const records = [];
    let page = await conn.query('SELECT Id, Email FROM Contact', { headers: { 'Sforce-Query-Options': 'batchSize=200' } });
    same([page.done, page.records.length], [false, 200], 'first page');
    records.push(...page.records);
    while (!page.done) {
      page = await conn.queryMore(page.nextRecordsUrl);
      records.push(...page.records);
    }
    same(new Set(records.map((one) => one.Id)).size, page.totalSize, 'different records');
    made.seeded = records.find((one) => one.Email && one.Id !== made.contact);
  }],

  ['find by e-mail address', async () => {
    const found = await conn.sobject('Contact').find({ Email: made.seeded.Email }, ['Id']);
    same(found.map((one) => one.Id), [made.seeded.Id], 'found');
  }],

  ['update', async () => {
    const answer = await conn.sobject('Contact').update({ Id: made.contact, Title: 'Head buyer' });
    same([answer.success, answer.id], [true, made.contact], 'answer');
    same((await conn.sobject('Contact').retrieve(made.contact)).Title, 'Head buyer', 'title');
  }],

  ['upsert by external id', async () => {
    const upserted = (title) => conn.sobject('Contact').upsert({ [KEY]: 'jf-1', LastName: 'Voss', Title: title }, KEY);
    const [first, second] = [await upserted('Surveyor'), await upserted('Planner')];
    same([first.created, second.created, second.id], [true, false, first.id], 'upserts');
    same((await conn.sobject('Contact').retrieve(first.id)).Title, 'Planner', 'title');
  }],

  ['collections: create, upsert and update', async () => {
    const answer = await conn.sobject('Contact').create([
      { LastName: 'Aho', [KEY]: 'jf-2' },
      { FirstName: 'Nameless' },
    ]);
    same(answer.map((one) => one.success), [true, false], 'successes');
    same([answer[1].errors[0].statusCode, answer[1].errors[0].fields], ['REQUIRED_FIELD_MISSING', ['LastName']], 'error');
    const upserts = await conn.sobject('Contact').upsert([
      { [KEY]: 'jf-2', LastName: 'Aho', Title: 'Clerk' },
      { [KEY]: 'jf-3', LastName: 'Brandt' },
    ], KEY);
    same(upserts.map((one) => [one.success, one.created]), [[true, false], [true, true]], 'upserts');
    same(upserts[0].id, answer[0].id, 'id');
    const updates = await conn.sobject('Contact').update(upserts.map((one) => ({ Id: one.id, Department: 'Yard' })));
    same(updates.map((one) => one.success), [true, true], 'updates');
  }],

  ['collections: read and delete', async () => {
    const two = await conn.sobject('Contact').find({ Department: 'Yard' }, ['Id']);
    const ids = two.map((one) => one.Id);
    const read = await conn.sobject('Contact').retrieve([...ids, '003000000000000AAA'], { fields: ['Id', 'Department'] });
    same(read.map((one) => one?.Department ?? null), ['Yard', 'Yard', null], 'departments');
    const gone = await conn.sobject('Contact').destroy(ids);
    same(gone.map((one) => [one.success, one.id]), ids.map((id) => [true, id]), 'deletions');
    same((await conn.sobject('Contact').find({ Department: 'Yard' }, ['Id'])).length, 0, 'contacts left');
  }],

  ['bulk upsert (Bulk API 2.0)', async () => {
    conn.bulk2.pollInterval = 250;
    conn.bulk2.pollTimeout = 60000;
    const answer = await conn.bulk2.loadAndWaitForResults({
      object: 'Contact',
      operation: 'upsert',
      externalIdFieldName: KEY,
      input: [0, 1, 2].map((n) => ({ LastName: `Bulk ${n}`, [KEY]: `jf-bulk-${n}` })),
    });
    same(answer.successfulResults.length, 3, 'successful results');
    same([answer.failedResults.length, answer.unprocessedRecords.length], [0, 0], 'failed and unprocessed');
    holds(answer.successfulResults.every((row) => row.sf__Id && row.sf__Created === 'true'), 'a row was not created');
  }],

  ['error: a required field is missing', async () => {
    const error = await refused(conn.sobject('Contact').create({ FirstName: 'Nameless' }));
    same([error.errorCode, error.data.fields], ['REQUIRED_FIELD_MISSING', ['LastName']], 'refusal');
  }],

  ['error: no such field', async () => {
    const error = await refused(conn.query('SELECT Id, Nope__c FROM Contact'));
    same(error.errorCode, 'INVALID_FIELD', 'code');
  }],

  ['error: no such record', async () => {
    const error = await refused(conn.sobject('Contact').retrieve('003000000000000AAA'));
    same(error.errorCode, 'NOT_FOUND', 'code');
  }],

  ['throttled: day', async () => {
    const deal = { Name: 'Crane hire', StageName: 'Prospecting', CloseDate: '2026-06-30' };
    const error = await refused(conn.sobject('Opportunity').create(deal));
    same([error.errorCode, error.message], ['REQUEST_LIMIT_EXCEEDED', 'TotalRequests Limit exceeded.'], 'refusal');
    same((await conn.sobject('Opportunity').create(deal)).success, true, 'success afterwards');
  }],

  ['503: only reads are tried again', async () => {
    const error = await refused(conn.sobject('Task').create({ Subject: 'Call' }));
    same(error.errorCode, 'SERVER_UNAVAILABLE', 'code of the write');
    const { records } = await conn.query('SELECT Id FROM Task');
    same(records, [], 'tasks');
    same((await conn.sobject('Task').describe()).name, 'Task', 'object described at the second try');
  }],

  ['delete', async () => {
    same((await conn.sobject('Contact').destroy(made.contact)).success, true, 'success');
    same((await refused(conn.sobject('Contact').retrieve(made.contact))).errorCode, 'NOT_FOUND', 'code');
  }],
]);
