'use strict';
// Pipedrive's own Node SDK, `pipedrive`, against the fake Pipedrive.
//
// Only the base paths of both versions and the API token are given. Pipedrive has neither upsert nor batch. The SDK
// doesn't retry, and rejects with the body of a refusal alone: status and headers are lost in it.

const { Configuration: V1, CallLogsApi, NotesApi, UsersApi } = require('pipedrive/v1');
const {
  Configuration: V2, OAuth2Configuration, ActivitiesApi, DealsApi, PersonFieldsApi, PersonsApi, PipelinesApi, StagesApi,
} = require('pipedrive/v2');
const { baseUrl, token, run, same, holds, refused } = require('./checks');

const v1 = new V1({ apiKey: token, basePath: `${baseUrl}/api/v1` });
const v2 = new V2({ apiKey: token, basePath: `${baseUrl}/api/v2` });
const persons = new PersonsApi(v2);
const activities = new ActivitiesApi(v2);
const deals = new DealsApi(v2);
const made = {};

run([
  ['wrong credential', async () => {
    const stranger = new PersonsApi(new V2({ apiKey: 'token-of-nobody', basePath: `${baseUrl}/api/v2` }));
    const error = await refused(stranger.getPersons());
    same([error.success, error.errorCode], [false, 401], 'refusal');
    holds(error.error, 'the body has no error text');
  }],

  ['access token by refresh token', async () => {
    const oauth = new OAuth2Configuration({
      clientId: 'sim-client',
      clientSecret: 'sim-secret',
      redirectUri: 'https://callback.example/done',
      host: baseUrl,
    });
    oauth.updateToken({ refresh_token: 'sim-refresh' });
    const answer = await oauth.tokenRefresh();
    same([answer.token_type, oauth.basePath], ['Bearer', `${baseUrl}/api/v2`], 'token type and base path');
    const bearer = new PersonsApi(new V2({ accessToken: oauth.getAccessToken, basePath: oauth.basePath }));
    same((await bearer.getPersons({ limit: 1 })).data.length, 1, 'persons');
    oauth.updateToken({ refresh_token: 'refresh-of-nobody' });
    same((await refused(oauth.tokenRefresh())).error, 'invalid_grant', 'error of another refresh token');
  }],

  ['credential known', async () => {
    const me = await new UsersApi(v1).getCurrentUser();
    holds(me.success && me.data.id > 0 && me.data.company_id > 0, 'no user or company');
    made.user = me.data.id;
  }],

  ['custom field made', async () => {
    const fields = new PersonFieldsApi(v2);
    const answer = await fields.addPersonField({
      AddPersonFieldRequest: { field_name: 'Conformance key', field_type: 'varchar' },
    });
    made.key = answer.data.field_code;
    const listed = await fields.getPersonFields();
    const field = listed.data.find((one) => one.field_code === made.key);
    same([field?.field_name, field?.is_custom_field], ['Conformance key', true], 'field');
  }],

  ['create', async () => {
    const answer = await persons.addPerson({
      AddPersonRequest: {
        name: 'Runa Feld',
        emails: [{ value: 'runa.feld@example.com', primary: true, label: 'work' }],
        phones: [{ value: '+12025550147', primary: true, label: 'mobile' }],
        custom_fields: { [made.key]: 'pd-1' },
      },
    });
    same([answer.success, answer.data.name], [true, 'Runa Feld'], 'person');
    same(answer.data.emails[0].value, 'runa.feld@example.com', 'address');
    made.person = answer.data.id;
  }],

  ['find by id', async () => {
    const { data } = await persons.getPerson({ id: made.person });
    same([data.id, data.custom_fields[made.key], data.is_deleted], [made.person, 'pd-1', false], 'person');
  }],

  ['list, page by page', async () => {
    const everybody = [];
    let cursor;
    do {
      const page = await persons.getPersons({ limit: 60, cursor });
      everybody.push(...page.data);
      cursor = page.additional_data.next_cursor;
    } while (cursor);
    const ids = new Set(everybody.map((one) => one.id));
    holds(ids.size > 60, `${ids.size} persons: a second page was expected`);
    same(ids.size, everybody.length, 'different ids');
    made.seeded = everybody.find((one) => one.id !== made.person && one.emails?.length);
  }],

  ['find by e-mail address', async () => {
    const email = made.seeded.emails[0].value;
    const answer = await persons.searchPersons({ term: email, fields: 'email', exact_match: true });
    same(answer.data.items.map((one) => one.item.id), [made.seeded.id], 'found');
  }],

  ['find by phone', async () => {
    const phone = made.seeded.phones[0].value;
    const answer = await persons.searchPersons({ term: phone, fields: 'phone', exact_match: true });
    same(answer.data.items.map((one) => one.item.id), [made.seeded.id], 'found');
  }],

  ['update', async () => {
    const { data } = await persons.updatePerson({ id: made.person, UpdatePersonRequest: { name: 'Runa Feld-Moor' } });
    same([data.name, data.emails.length], ['Runa Feld-Moor', 1], 'person');
  }],

  ['call logged on a person', async () => {
    const activity = await activities.addActivity({
      AddActivityRequest: {
        subject: 'Renewal',
        type: 'call',
        done: true,
        due_date: '2026-03-02',
        due_time: '09:30',
        duration: '00:02',
        participants: [{ person_id: made.person, primary: true }],
      },
    });
    same(activity.data.person_id, made.person, 'person of the activity');
    const log = await new CallLogsApi(v1).addCallLog({
      AddCallLogRequest: {
        outcome: 'connected',
        to_phone_number: '+12025550147',
        start_time: '2026-03-02 09:30:00',
        end_time: '2026-03-02 09:31:01',
        duration: '61',
        activity_id: activity.data.id,
        person_id: made.person,
      },
    });
    same([log.success, log.data.activity_id], [true, activity.data.id], 'call log');
    const read = await new CallLogsApi(v1).getCallLog({ id: log.data.id });
    same([read.data.id, read.data.outcome], [log.data.id, 'connected'], 'call log read');
    const listed = await activities.getActivities({ person_id: made.person });
    same(listed.data.map((one) => one.id), [activity.data.id], 'activities of the person');
  }],

  ['note on a person', async () => {
    const notes = new NotesApi(v1);
    const note = await notes.addNote({ AddNoteRequest: { content: 'Prefers mornings', person_id: made.person } });
    const changed = await notes.updateNote({ id: note.data.id, NoteRequest: { content: 'Prefers evenings' } });
    same([changed.data.id, changed.data.content], [note.data.id, 'Prefers evenings'], 'note');
    const listed = await notes.getNotes({ person_id: made.person });
    same(listed.data.map((one) => one.id), [note.data.id], 'notes of the person');
  }],

  ['deal and its stages', async () => {
    const pipeline = (await new PipelinesApi(v2).getPipelines()).data[0];
    const stages = (await new StagesApi(v2).getStages({ pipeline_id: pipeline.id })).data;
    const deal = await deals.addDeal({
      AddDealRequest: { title: 'Pump refit', person_id: made.person, stage_id: stages[0].id, value: 1250 },
    });
    const moved = await deals.updateDeal({ id: deal.data.id, UpdateDealRequest: { stage_id: stages[1].id } });
    same([moved.data.stage_id, moved.data.value], [stages[1].id, 1250], 'deal');
  }],

  ['error: a field is wrong', async () => {
    const error = await refused(persons.addPerson({ AddPersonRequest: { name: 'X', emails: 'no list' } }));
    same([error.success, error.data], [false, null], 'refusal');
    holds(/emails/.test(error.error), `the error doesn't name the field: ${error.error}`);
  }],

  ['error: no such record', async () => {
    const error = await refused(persons.getPerson({ id: 999999999 }));
    same([error.success, /not found/.test(error.error)], [false, true], 'refusal');
  }],

  ['throttled: burst', async () => {
    const task = { AddActivityRequest: { subject: 'Ring back', type: 'task', owner_id: made.user } };
    const error = await refused(activities.addActivity(task));
    same([error.success, error.errorCode], [false, 429], 'refusal');
    holds((await activities.addActivity(task)).data.id, 'the activity was not made afterwards');
  }],

  ['throttled: day', async () => {
    const error = await refused(deals.addDeal({ AddDealRequest: { title: 'Crane hire' } }));
    same([error.success, error.errorCode], [false, 429], 'refusal');
    same(error.error, 'daily request budget exceeded', 'error');
  }],

  ['delete', async () => {
    same((await persons.deletePerson({ id: made.person })).data.id, made.person, 'id');
    same((await refused(persons.getPerson({ id: made.person }))).success, false, 'success of a read');
  }],
]);
