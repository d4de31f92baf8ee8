import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import { TrainingError } from '../lib/errors.js';
import { loadBase } from '../lib/runtime/load.js';
import type { RaggedBatch, StepResult } from '../lib/runtime/native.js';
import type { Measured, TrainerEvent } from '../lib/train/events.js';
import { type Examples, pack, readExamples } from '../lib/train/examples.js';
import { type Job, type LoopEnd, runLoop } from '../lib/train/loop.js';
import { Meter } from '../lib/train/meter.js';
import { epochOrder, planOf, stepsOfEpoch } from '../lib/train/order.js';
import { drive } from '../lib/train/run.js';
import { linearRate, warmupLength } from '../lib/train/schedule.js';
import { referenceJson } from './models.js';

interface Sampled {
	n: number;
	batch: number;
	seed: number;
	data_seed: number | null;
	drop_last: boolean;
	optimizer_steps?: number;
	error?: string;
	epochs: { order?: number[]; first64?: number[]; sha256_int32_le?: string }[];
}

let permutation: (seed: number, n: number) => Int32Array;
beforeAll(() => {
	permutation = loadBase().permutation;
});

const planOptions = { perDeviceTrainBatchSize: 8, gradientAccumulationSteps: 1, dataloaderDropLast: false, numTrainEpochs: 3, maxSteps: -1 };

describe('learning rate', () => {
	const { schedules, warmup_ratio: ratios } = referenceJson('schedules.json.gz');

	it('is that of every linear schedule of Transformers, past the end too, to the bit', () => {
		expect(schedules.length).toBeGreaterThan(5);
		for (const { lr, warmup_steps: warmup, total_steps: total, lrs } of schedules) {
			expect(lrs.map((_: number, step: number) => linearRate(step, lr, warmup, total))).toEqual(lrs);
		}
	});

	it('warms up for a share of the steps, rounded up, unless a number is given', () => {
		for (const { ratio, total_steps: total, warmup_steps: steps } of ratios) {
			expect(warmupLength(total, { warmupSteps: 0, warmupRatio: ratio })).toBe(steps);
			expect(warmupLength(total, { warmupSteps: 7, warmupRatio: ratio })).toBe(7);
		}
	});
});

describe('order of rows', () => {
	const { trainer, gradient_accumulation: accumulated, randperm_10: raw } = referenceJson('sampler.json.gz');

	it('is torch.randperm of a fresh generator', () => {
		for (const { seed, randperm_10: order, sha } of raw) {
			expect([...permutation(seed, 10)]).toEqual(order);
			const wide = BigInt64Array.from(permutation(seed, 1000), BigInt);
			expect(createHash('sha256').update(new Uint8Array(wide.buffer)).digest('hex')).toBe(sha);
		}
	});

	it.each((trainer as Sampled[]).filter(({ error }) => error === undefined))(
		'is that of Transformers 5: $n rows, seed $seed, data seed $data_seed, drop last $drop_last',
		({ n, batch, seed, data_seed, drop_last, optimizer_steps, epochs }) => {
			const options = { ...planOptions, perDeviceTrainBatchSize: batch, dataloaderDropLast: drop_last };
			const plan = planOf(n, options);
			expect(plan.totalSteps).toBe(optimizer_steps);
			for (const [epoch, expected] of epochs.entries()) {
				const order = epochOrder(permutation, data_seed ?? seed, epoch, n);
				const seen = Int32Array.from([...stepsOfEpoch(order, plan, options)].flatMap((step) => step.flatMap((rows) => [...rows])));
				if (expected.order) expect([...seen]).toEqual(expected.order);
				else expect(createHash('sha256').update(new Uint8Array(seen.buffer)).digest('hex')).toBe(expected.sha256_int32_le);
			}
		},
	);

	it('is refused where dropping the last batch leaves none, which Transformers refuses too', () => {
		for (const { n, drop_last } of (trainer as Sampled[]).filter(({ error }) => error !== undefined)) {
			expect(() => planOf(n, { ...planOptions, dataloaderDropLast: drop_last })).toThrow(`Expected at least one full batch of 8 rows, got ${n}`);
		}
	});

	it('gathers batches into steps as Transformers 5 does, a short last group included', () => {
		expect(accumulated.length).toBeGreaterThan(5);
		for (const { n, batch, seed, gradient_accumulation_steps, optimizer_steps, epochs } of accumulated) {
			const options = { ...planOptions, perDeviceTrainBatchSize: batch, gradientAccumulationSteps: gradient_accumulation_steps };
			const plan = planOf(n, options);
			expect(plan.totalSteps).toBe(optimizer_steps);
			for (const [epoch, expected] of epochs.entries()) {
				const steps = [...stepsOfEpoch(epochOrder(permutation, seed, epoch, n), plan, options)];
				expect(steps.map((step) => ({ rows: step.flatMap((rows) => [...rows]), micro_batches: step.length }))).toEqual(expected);
			}
		}
	});

	it.each([
		[{ maxSteps: 50 }, { totalSteps: 50, epochs: 1 }],
		[{ maxSteps: 700 }, { totalSteps: 700, epochs: 2 }],
		[{ numTrainEpochs: 0.5 }, { totalSteps: 313, epochs: 1 }],
		[{ numTrainEpochs: 2.2 }, { totalSteps: 1375, epochs: 3 }],
		[{ gradientAccumulationSteps: 4 }, { totalSteps: 471, stepsPerEpoch: 157, epochs: 3 }],
	])('counts the steps of 5,000 rows under %j', (changes, expected) => {
		expect(planOf(5000, { ...planOptions, ...changes })).toMatchObject(expected);
	});
});

describe('meter', () => {
	it('keeps the mean since the last log, over the epoch and over the run apart', () => {
		const meter = new Meter();
		const step = (...losses: number[]) => meter.add({ losses: Float64Array.from(losses), gradNorm: 1 });
		meter.beginEpoch();
		expect(step(1, 3)).toBe(2);
		expect(step(4)).toBe(4);
		expect(meter.takeLog()).toBe(3);
		expect(meter.epochMean).toBeCloseTo(8 / 3, 14);
		meter.beginEpoch();
		step(6);
		expect(meter.epochMean).toBe(6);
		expect(meter.takeLog()).toBe(6);
		expect(meter.mean).toBe(4);
	});
});

/** Rows [100 r, 100 r + 1, ...], row r of r + 2 tokens. */
function examplesOf(rows: number): Examples {
	const lengths = Array.from({ length: rows }, (_, row) => row + 2);
	const offsets = Int32Array.from([0, ...lengths.map((_, row) => lengths.slice(0, row + 1).reduce((a, b) => a + b))]);
	return {
		ids: Int32Array.from(lengths.flatMap((length, row) => Array.from({ length }, (_, token) => 100 * row + token))),
		offsets,
		classes: Int32Array.from(lengths, (_, row) => row % 2),
	};
}

describe('rows as the model reads them', () => {
	it('packs the rows that are asked for, in that order', () => {
		expect(pack(examplesOf(4), Int32Array.of(2, 0))).toEqual({
			ids: Int32Array.of(200, 201, 202, 203, 0, 1),
			offsets: Int32Array.of(0, 4, 6),
			labels: Int32Array.of(0, 0),
		});
	});

	it('joins portions, numbers labels in their final order and counts what deserves a remark', async () => {
		const texts = Array.from({ length: 1100 }, (_, row) => ({
			text: row === 3 ? ' ' : row === 4 ? 'a\0' : `t${row}`,
			label: String(12 - (row % 3)),
			line: row + 2,
		}));
		const portions: number[] = [];
		const read = await readExamples(
			(async function* () {
				yield* texts;
			})(),
			{
				encode: async (portion) => {
					portions.push(portion.length);
					return {
						ids: Int32Array.from(portion, (text) => text.length),
						offsets: Int32Array.from({ length: portion.length + 1 }, (_, row) => row),
						truncated: Uint8Array.from(portion, (text) => Number(text === 't7')),
					};
				},
				labels: undefined,
				onUnknownLabel: () => new Error('unreachable'),
				stopIfAborted: () => {},
			},
		);
		expect(portions.length).toBeGreaterThan(2);
		expect(read.labels).toEqual(['10', '11', '12']);
		expect(read.remarks).toEqual({ empty: 1, truncated: 1, withNul: 1 });
		expect([...read.examples.classes.subarray(0, 4)]).toEqual([2, 1, 0, 2]);
		expect([...read.examples.ids]).toEqual(texts.map(({ text }) => text.length));
		expect([...read.examples.offsets]).toEqual(Array.from({ length: 1101 }, (_, row) => row));
	});
});

const measured: Measured = { metrics: { loss: 0.5, accuracy: 0.5, precision: 0.5, recall: 0.5, f1: 0.5 }, labels: {}, rows: 4, seconds: 0.1 };

function jobOf(
	changes: Partial<Job['options']> = {},
	others: Partial<Job> = {},
): { job: Job; steps: { batches: readonly RaggedBatch[]; rate: number }[] } {
	const steps: { batches: readonly RaggedBatch[]; rate: number }[] = [];
	const options = {
		...planOptions,
		learningRate: 1,
		warmupSteps: 0,
		warmupRatio: 0,
		dataSeed: 42,
		loggingSteps: 2,
		evalStrategy: 'epoch' as const,
		evalSteps: 3,
		perDeviceTrainBatchSize: 2,
		numTrainEpochs: 2,
		...changes,
	};
	const job: Job = {
		session: {
			step: async (batches, rate): Promise<StepResult> => {
				steps.push({ batches, rate });
				return { losses: Float64Array.from(batches, () => steps.length), gradNorm: 10 * steps.length };
			},
		},
		options,
		plan: planOf(6, options),
		examples: examplesOf(6),
		permutation: (_, n) => Int32Array.from({ length: n }, (_, row) => n - 1 - row),
		evaluate: async () => measured,
		stopped: () => false,
		...others,
	};
	return { job, steps };
}

async function play(job: Job): Promise<{ events: TrainerEvent[]; end: LoopEnd }> {
	const events: TrainerEvent[] = [];
	const loop = runLoop(job);
	for (;;) {
		const next = await loop.next();
		if (next.done) return { events, end: next.value };
		events.push(next.value);
	}
}

const story = (events: readonly TrainerEvent[]) => events.map((event) => ('step' in event ? `${event.type} ${event.step}` : event.type));

describe('loop', () => {
	it('steps, logs, ends the epoch and measures, in this order', async () => {
		const { job, steps } = jobOf();
		const { events, end } = await play(job);
		expect(story(events)).toEqual([
			...['epochBegin 0', 'step 1', 'step 2', 'log 2', 'step 3', 'epochEnd 3', 'evaluate 3'],
			...['epochBegin 3', 'step 4', 'log 4', 'step 5', 'step 6', 'log 6', 'epochEnd 6', 'evaluate 6'],
		]);
		expect(end).toMatchObject({ finished: true, step: 6, epoch: 2, loss: 3.5, tokens: 2 * (2 + 3 + 4 + 5 + 6 + 7) });
		expect(steps.map(({ rate }) => rate)).toEqual([1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]);
	});

	it('tells each log entry and the loss an evaluation is shown beside', async () => {
		const { events } = await play(jobOf().job);
		const logs = events.filter((event) => event.type === 'log');
		expect(logs.map(({ loss, learningRate, gradNorm, epoch }) => ({ loss, learningRate, gradNorm, epoch }))).toEqual([
			{ loss: 1.5, learningRate: 5 / 6, gradNorm: 20, epoch: 2 / 3 },
			{ loss: 3.5, learningRate: 3 / 6, gradNorm: 40, epoch: 4 / 3 },
			{ loss: 5.5, learningRate: 1 / 6, gradNorm: 60, epoch: 2 },
		]);
		expect(events.filter((event) => event.type === 'evaluate').map(({ loggedLoss, epochLoss }) => [loggedLoss, epochLoss])).toEqual([
			[1.5, 2],
			[5.5, 5],
		]);
	});

	it('has no logged loss before the first log', async () => {
		const { events } = await play(jobOf({ loggingSteps: 500 }).job);
		expect(events.filter((event) => event.type === 'evaluate').map(({ loggedLoss }) => loggedLoss)).toEqual([null, null]);
	});

	it('hands the batches of an accumulated step over together', async () => {
		const { job, steps } = jobOf({ gradientAccumulationSteps: 2 });
		await play(job);
		expect(steps.map(({ batches }) => batches.map(({ offsets }) => offsets.length - 1))).toEqual([[2, 2], [2], [2, 2], [2]]);
	});

	it('measures every few steps where that is asked for', async () => {
		const { events } = await play(jobOf({ evalStrategy: 'steps', evalSteps: 4 }).job);
		expect(story(events).filter((line) => line.startsWith('evaluate'))).toEqual(['evaluate 4']);
	});

	it('ends in the middle of an epoch at maxSteps, and still measures', async () => {
		const { events, end } = await play(jobOf({ maxSteps: 4 }).job);
		expect(story(events).slice(-3)).toEqual(['log 4', 'epochEnd 4', 'evaluate 4']);
		expect(end).toMatchObject({ finished: true, step: 4, epoch: 4 / 3 });
	});

	it.each([0, 1, 2])('stops before the next step once asked, after %i steps', async (after) => {
		const { job, steps } = jobOf({});
		const { end } = await play({ ...job, stopped: () => steps.length === after });
		expect(end).toMatchObject({ finished: false, step: after });
		expect(steps.length).toBe(after);
	});

	it('is not finished where its last evaluation was stopped', async () => {
		const { job } = jobOf({});
		expect((await play({ ...job, evaluate: async () => undefined })).end).toMatchObject({ finished: false, step: 3 });
	});

	it('names the step and its rows where the engine refuses one', async () => {
		const refusal = Object.assign(new Error('the loss is not finite'), { code: 'NON_FINITE', hint: 'Lower learningRate' });
		const error = await play(jobOf({}, { session: { step: () => Promise.reject(refusal) } }).job).catch((reason: unknown) => reason);
		expect(error).toBeInstanceOf(TrainingError);
		expect(error).toMatchObject({ code: 'NON_FINITE', hint: 'Lower learningRate', details: { step: 1, rows: [6, 5] } });
		expect((error as Error).message).toBe('the loss is not finite (step 1, rows 6, 5)');
	});
});

describe('a run is a promise and a stream of events', () => {
	async function* counting(to: number): AsyncGenerator<number, string> {
		for (let at = 1; at <= to; at++) {
			await null;
			yield at;
		}
		return 'done';
	}
	async function* failing(): AsyncGenerator<number, string> {
		yield 1;
		throw new Error('broken');
	}

	it('has the types of both', () => {
		const run = drive(counting(1));
		expectTypeOf(run).resolves.toEqualTypeOf<string>();
		expectTypeOf(run[Symbol.asyncIterator]().next()).resolves.toEqualTypeOf<IteratorResult<number>>();
	});

	it('comes to its result unwatched', async () => {
		await expect(drive(counting(3))).resolves.toBe('done');
	});

	it('gives every event to everyone who follows, and the result as well', async () => {
		const run = drive(counting(3));
		const follow = async () => {
			const seen = [];
			for await (const event of run) seen.push(event);
			return seen;
		};
		expect(await Promise.all([follow(), follow(), run])).toEqual([[1, 2, 3], [1, 2, 3], 'done']);
		expect(await follow()).toEqual([]);
	});

	it('goes on when a follower leaves', async () => {
		const run = drive(counting(3));
		for await (const event of run) if (event === 1) break;
		await expect(run).resolves.toBe('done');
	});

	it('keeps events for a slow follower', async () => {
		const run = drive(counting(3));
		const events = run[Symbol.asyncIterator]();
		await run;
		expect(await events.next()).toEqual({ value: 1, done: false });
		expect(await events.next()).toEqual({ value: 2, done: false });
	});

	it('throws where it is followed and rejects where it is awaited', async () => {
		const run = drive(failing());
		const seen: number[] = [];
		await expect(async () => {
			for await (const event of run) seen.push(event);
		}).rejects.toThrow('broken');
		expect(seen).toEqual([1]);
		await expect(run).rejects.toThrow('broken');
		await expect(run[Symbol.asyncIterator]().next()).rejects.toThrow('broken');
	});
});
