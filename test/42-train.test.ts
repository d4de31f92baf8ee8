import { describe, expect, expectTypeOf, it } from 'vitest';
import { Dataset } from '../lib/dataset.js';
import { settledWeights } from '../lib/train/class-weights.js';
import type { TrainerEvent } from '../lib/train/events.js';
import { lengthsOf, pack, readExamples } from '../lib/train/examples.js';
import { Meter } from '../lib/train/meter.js';
import { drive } from '../lib/train/run.js';
import { targetReader } from '../lib/train/targets.js';
import { type Ragged, tokensInMemory } from '../lib/train/tokens.js';
import { examplesOf, jobOf, play } from './loop.js';

describe('meter', () => {
	it('keeps the mean since the last log, over the epoch and over the run apart', () => {
		const meter = new Meter();
		const step = (...losses: number[]) => {
			const loss = meter.add(losses, losses.length);
			meter.step();
			return loss;
		};
		meter.beginEpoch();
		expect(step(1, 3)).toBe(2);
		expect(step(4)).toBe(4);
		expect(meter.takeLog()).toBe(3);
		expect(meter.due).toBe(false);
		expect(meter.epochMean).toBeCloseTo(8 / 3, 14);
		meter.beginEpoch();
		step(6);
		expect(meter.due).toBe(true);
		expect(meter.epochMean).toBe(6);
		expect(meter.takeLog()).toBe(6);
		expect(meter.mean).toBe(4);
	});

	it('counts what is left over from an epoch to the step after it, as the 4.18 loop adds its losses up', () => {
		const meter = new Meter();
		meter.add([2, 4], 2);
		meter.step();
		meter.add([8], 2);
		meter.add([1, 3], 2);
		meter.step();
		expect(meter.takeLog()).toBe((3 + 4 + 2) / 2);
		expect(meter.epochMean).toBe(18 / 5);
	});
});

describe('a step that was left out', () => {
	it('counts in no mean, whichever of its batches it was', () => {
		const meter = new Meter();
		meter.add([2], 1);
		meter.step();
		expect(meter.add([1, Number.NaN], 2)).toBeNaN();
		meter.step();
		expect(meter.add([4], 1)).toBe(4);
		meter.step();
		expect(meter.epochMean).toBe(3);
		expect(meter.mean).toBe(3);
		expect(meter.takeLog()).toBe(3);
	});

	it('is left out too where only batches before its last were counted', () => {
		const meter = new Meter();
		meter.add([Number.NaN], 2);
		meter.add([6], 2);
		meter.step();
		meter.add([1], 1);
		meter.step();
		expect(meter.mean).toBe(1);
	});
});

describe('weights of classes', () => {
	const classes = Int32Array.of(0, 0, 0, 1);

	it.each([
		['balanced', [4 / 6, 2, 0]],
		[
			[1, 2, 0.5],
			[1, 2, 0.5],
		],
		[{ c: 3 }, [1, 1, 3]],
	] as const)('%j', (wanted, expected) => {
		const labels = ['a', 'b', 'c'];
		const settled = settledWeights(wanted, labels, classes, 'classWeights');
		// scikit-learn's compute_class_weight('balanced') knows only labels that occur: rows / (labels * rows of the label).
		expect(settled).toEqual(wanted === 'balanced' ? [4 / 9, 4 / 3, 0] : expected);
	});

	it('that do not fit are refused', () => {
		expect(() => settledWeights([1], ['a', 'b'], classes, 'classWeights')).toThrow('one weight for each of the 2 labels, got 1');
		expect(() => settledWeights({ z: 1 }, ['a', 'b'], classes, 'sampling')).toThrow('Expected `sampling` to be weights of a, b, got one of "z"');
	});
});

describe('rows as the model reads them', () => {
	it('packs the rows that are asked for, in that order', () => {
		expect(pack(examplesOf(4), Int32Array.of(2, 0))).toEqual({
			ids: Int32Array.of(200, 201, 202, 203, 0, 1),
			offsets: Int32Array.of(0, 4, 6),
			labels: Int32Array.of(0, 0),
		});
	});

	it('packs what each row aims at, however wide that is', () => {
		const marks = { ...examplesOf(3), targets: Float32Array.of(1, 0, 0, 1, 1, 1) };
		expect(pack(marks, Int32Array.of(2, 0)).labels).toEqual(Float32Array.of(1, 1, 1, 0));
		expect(pack(marks, Int32Array.of(1)).labels).toEqual(Float32Array.of(0, 1));
		expect(pack(marks, Int32Array.of(0, 1, 2)).labels).toEqual(marks.targets);
	});

	it('knows how many tokens each has', () => {
		expect([...lengthsOf(examplesOf(4))]).toEqual([2, 3, 4, 5]);
	});

	it('joins portions, numbers labels in their final order and counts what deserves a remark', async () => {
		const texts = Array.from({ length: 1100 }, (_, row) => ({
			text: row === 3 ? ' ' : row === 4 ? 'a\0' : `t${row}`,
			label: String(12 - (row % 3)),
			line: row + 2,
		}));
		const portions: number[] = [];
		const taken: Ragged[] = [];
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
				targets: targetReader('single_label_classification', Dataset.fromArray([]), undefined),
				take: async (portion) => void taken.push(portion),
				stopIfAborted: () => {},
			},
		);
		const tokens = tokensInMemory(taken);
		const { ids, offsets } = tokens.read(Int32Array.from(texts.keys()));
		expect(tokens.rows).toBe(1100);
		expect(portions.length).toBeGreaterThan(2);
		expect(read.labels).toEqual(['10', '11', '12']);
		expect(read.remarks).toEqual({ empty: 1, truncated: 1, withNul: 1, firstTruncated: 9 });
		expect([...read.targets.subarray(0, 4)]).toEqual([2, 1, 0, 2]);
		expect([...ids]).toEqual(texts.map(({ text }) => text.length));
		expect([...offsets]).toEqual(Array.from({ length: 1101 }, (_, row) => row));
	});
});

const story = (events: readonly TrainerEvent[]) => events.map((event) => ('step' in event ? `${event.type} ${event.step}` : event.type));

describe('loop', () => {
	it('steps, logs, ends the epoch and measures, in this order', async () => {
		const { job, calls } = jobOf();
		const { events, end } = await play(job);
		expect(story(events)).toEqual([
			...['epochBegin 0', 'step 1', 'step 2', 'log 2', 'step 3', 'epochEnd 3', 'evaluate 3'],
			...['epochBegin 3', 'step 4', 'log 4', 'step 5', 'step 6', 'log 6', 'epochEnd 6', 'evaluate 6'],
		]);
		expect(end).toMatchObject({
			finished: true,
			loss: 3.5,
			state: { step: 6, epoch: 2, tokens: 2 * (2 + 3 + 4 + 5 + 6 + 7), paddedTokens: 2 * 2 * (3 + 5 + 7) },
		});
		expect(calls.map(({ rate }) => rate)).toEqual([1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]);
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

	it('hands the batches of an accumulated step over one by one, the last of them to step', async () => {
		const { job, calls } = jobOf({ gradientAccumulationSteps: 2 });
		await play(job);
		const epoch = (rate: number) => [
			{ rate: undefined, divisor: 2 },
			{ rate, divisor: 2 },
			{ rate: rate - 0.25, divisor: 1 },
		];
		expect(calls.map(({ rate, divisor }) => ({ rate, divisor }))).toEqual([...epoch(1), ...epoch(0.5)]);
		expect(calls.every(({ batches }) => batches.length === 1)).toBe(true);
	});

	it('measures every few steps where that is asked for', async () => {
		const { events } = await play(jobOf({ evalStrategy: 'steps', evalSteps: 4 }).job);
		expect(story(events).filter((line) => line.startsWith('evaluate'))).toEqual(['evaluate 4', 'evaluate 6']);
	});

	it('leaves the last step of 4.18 unmeasured where its number is not due', async () => {
		const { events } = await play(jobOf({ compat: '4.18', evalStrategy: 'steps', evalSteps: 4 }).job);
		expect(story(events).filter((line) => line.startsWith('evaluate'))).toEqual(['evaluate 4']);
	});

	it('logs the first step, each epoch or nothing where that is asked for', async () => {
		const logs = async (changes: Parameters<typeof jobOf>[0]) =>
			story((await play(jobOf(changes).job)).events).filter((line) => line.startsWith('log'));
		expect(await logs({ loggingFirstStep: true, loggingSteps: 4 })).toEqual(['log 1', 'log 4']);
		expect(await logs({ loggingStrategy: 'no', loggingFirstStep: true })).toEqual([]);
		expect(await logs({ loggingStrategy: 'epoch' })).toEqual(['log 3', 'log 6']);
		const { events } = await play(jobOf({ loggingStrategy: 'epoch' }).job);
		expect(story(events).slice(4, 7)).toEqual(['epochEnd 3', 'log 3', 'evaluate 3']);
	});

	it('logs as 4.18 does: rounded, at the rate of the step to come', async () => {
		const { events } = await play(jobOf({ compat: '4.18', loggingSteps: 2 }).job);
		const logs = events.filter((event) => event.type === 'log');
		expect(logs.map(({ loss, learningRate, epoch }) => [loss, learningRate, epoch])).toEqual([
			[1.5, 4 / 6, 0.67],
			[3.5, 2 / 6, 1.33],
			[5.5, 0, 2],
		]);
	});

	it('keeps what 4.18 leaves over for the first step of the next epoch, and ends before the last of it', async () => {
		const { job, calls } = jobOf({ compat: '4.18', gradientAccumulationSteps: 2, loggingSteps: 1 });
		const { events, end } = await play(job);
		expect(calls.map(({ rate, divisor }) => [rate, divisor])).toEqual([
			[undefined, 2],
			[1, 2],
			[undefined, 2],
			[undefined, 2],
			[0.5, 2],
		]);
		expect(events.filter((event) => event.type === 'log').map(({ loss }) => loss)).toEqual([1, 1 + 2]);
		expect(end).toMatchObject({ finished: true, state: { step: 2, epoch: 1 + 2 / 3 } });
	});

	it('ends in the middle of an epoch at maxSteps, and still measures', async () => {
		const { events, end } = await play(jobOf({ maxSteps: 4 }).job);
		expect(story(events).slice(-3)).toEqual(['log 4', 'epochEnd 4', 'evaluate 4']);
		expect(end).toMatchObject({ finished: true, state: { step: 4, epoch: 4 / 3 } });
	});

	it.each([0, 1, 2])('stops before the next step once asked, after %i steps', async (after) => {
		const { job, calls } = jobOf({});
		const { end } = await play({ ...job, stopped: () => calls.length === after });
		expect(end).toMatchObject({ finished: false, state: { step: after } });
		expect(calls.length).toBe(after);
	});

	it('is not finished where its last evaluation was stopped', async () => {
		const { job } = jobOf({});
		expect((await play({ ...job, evaluate: async () => undefined })).end).toMatchObject({ finished: false, state: { step: 3, owes: 'epoch' } });
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
