import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Trainer } from '../lib/index.js';
import { fixture } from './models.js';

// The calls of a Trainer in every state it can be in. 'runs': the call is taken up; else the code it rejects with.
const folder = mkdtempSync(join(tmpdir(), 'distiltune-integrity-'));
afterAll(() => rmSync(folder, { recursive: true }));
const rows = Array.from({ length: 24 }, (_, row) => ({ text: 'the friend is happy', label: ['calm', 'worried', 'alarmed'][row % 3] as string }));
let made = 0;
const trainer = (epochs = 1) =>
	new Trainer({
		model: fixture('tiny-model'),
		train: rows,
		eval: rows,
		labels: ['calm', 'worried', 'alarmed'],
		numTrainEpochs: epochs,
		threads: 1,
		outputDir: join(folder, `${made++}`),
	});

const calls = {
	fit: async (subject: Trainer) => subject.fit(),
	evaluate: (subject: Trainer) => subject.evaluate(),
	predict: (subject: Trainer) => subject.predict(rows.slice(0, 2)),
	save: (subject: Trainer) => subject.save(),
};
type Call = keyof typeof calls;

const states: Record<string, () => Promise<{ subject: Trainer; leave: () => Promise<unknown> }>> = {
	new: async () => ({ subject: trainer(), leave: async () => {} }),
	running: async () => {
		const subject = trainer(1000);
		const run = subject.fit();
		for await (const event of run) if (event.type === 'step') break;
		run.catch(() => {});
		return { subject, leave: () => subject.dispose() };
	},
	trained: async () => {
		const subject = trainer();
		await subject.fit();
		return { subject, leave: async () => {} };
	},
	stopped: async () => {
		const subject = trainer(1000);
		const controller = new AbortController();
		const run = subject.fit({ signal: controller.signal });
		for await (const event of run) if (event.type === 'step') break;
		controller.abort();
		await expect(run).rejects.toMatchObject({ name: 'AbortError' });
		return { subject, leave: async () => {} };
	},
	disposed: async () => {
		const subject = trainer();
		await subject.fit();
		await subject.dispose();
		return { subject, leave: async () => {} };
	},
};

const matrix: [string, Call, string][] = [
	['new', 'fit', 'runs'],
	['new', 'evaluate', 'NOT_TRAINED'],
	['new', 'predict', 'NOT_TRAINED'],
	['new', 'save', 'NOT_TRAINED'],
	['running', 'fit', 'TRAINER_BUSY'],
	['running', 'evaluate', 'TRAINER_BUSY'],
	['running', 'predict', 'TRAINER_BUSY'],
	['running', 'save', 'TRAINER_BUSY'],
	['trained', 'fit', 'runs'],
	['trained', 'evaluate', 'runs'],
	['trained', 'predict', 'runs'],
	['trained', 'save', 'runs'],
	['stopped', 'evaluate', 'runs'],
	['stopped', 'predict', 'runs'],
	['stopped', 'save', 'runs'],
	['disposed', 'fit', 'TRAINER_CLOSED'],
	['disposed', 'evaluate', 'TRAINER_CLOSED'],
	['disposed', 'predict', 'TRAINER_CLOSED'],
	['disposed', 'save', 'TRAINER_CLOSED'],
];

describe('a Trainer', () => {
	it.each(matrix)('that is %s answers %s with %s', async (state, call, expected) => {
		const { subject, leave } = await (states[state] as (typeof states)['new'])();
		const answer = await calls[call](subject).then(
			() => 'runs',
			(error: { code?: string }) => error.code,
		);
		await leave();
		await subject.dispose();
		expect(answer).toBe(expected);
	});

	it('may be disposed of in any state, twice', async () => {
		for (const enter of Object.values(states)) {
			const { subject } = await enter();
			await subject.dispose();
			await subject.dispose();
			expect(subject.state.running).toBe(false);
		}
	});

	it('stops and saves a run that it is disposed of in', async () => {
		const subject = trainer(1000);
		const run = subject.fit();
		for await (const event of run) if (event.type === 'step') break;
		const end = expect(run).rejects.toMatchObject({
			name: 'AbortError',
			checkpoint: expect.stringContaining(join(subject.config.outputDir, 'checkpoint-')),
		});
		await subject.dispose();
		await end;
	});

	it('does not keep another from training beside it', async () => {
		const both = [trainer(3), trainer(3)];
		await Promise.all(both.map((each) => each.fit()));
		await Promise.all(both.map((each) => each.dispose()));
		expect(both.map((each) => each.state.step)).toEqual([9, 9]);
	});
});
