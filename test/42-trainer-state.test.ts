import { describe, expect, it } from 'vitest';
import { parametersBesideEmbeddings } from '../lib/model/config.js';
import type { ModelShape } from '../lib/runtime/native.js';
import type { Job } from '../lib/train/loop.js';
import { planOf } from '../lib/train/plan.js';
import { floatText, roundTo } from '../lib/train/python-number.js';
import { warmupLength } from '../lib/train/schedule.js';
import { tokensInMemory } from '../lib/train/tokens.js';
import { type StateEntry, type StateOptions, trainerStateText } from '../lib/train/trainer-state.js';
import { jobOf, measured, play } from './loop.js';
import { referenceJson } from './models.js';

/** Of the model those runs trained; each of their rows was cut to 48 tokens and filled up to them. */
const shape: ModelShape = { vocabSize: 300, maxPositions: 64, layers: 2, heads: 2, dim: 16, hiddenDim: 32, labels: 2, activation: 'gelu' };
const rowLength = 48;

interface Recorded {
	text: string;
	arguments: { train_rows?: number; arguments: Record<string, number | string | null> };
}
interface Entry {
	step: number;
	epoch: number;
	loss?: number;
	grad_norm?: number;
	learning_rate?: number;
	train_loss?: number;
	train_runtime?: number;
	eval_runtime?: number;
	[metric: `eval_${string}`]: number;
}
const states = referenceJson('trainer-states.json.gz') as Record<string, Recorded>;

/** Runs our loop under the settings of a recorded run, with losses whose means are the recorded ones. */
async function replay({ text, arguments: { train_rows: rows = 60, arguments: given } }: Recorded) {
	const state = JSON.parse(text);
	const history = state.log_history as Entry[];
	const number = (name: string) => given[name] as number;
	const warmup = number('warmup_steps');
	const options: Job['options'] & StateOptions = {
		compat: '5',
		perDeviceTrainBatchSize: number('per_device_train_batch_size'),
		perDeviceEvalBatchSize: number('per_device_eval_batch_size'),
		gradientAccumulationSteps: number('gradient_accumulation_steps'),
		dataloaderDropLast: false,
		numTrainEpochs: number('num_train_epochs'),
		maxSteps: number('max_steps'),
		loggingStrategy: 'steps',
		loggingSteps: number('logging_steps'),
		loggingFirstStep: false,
		evalStrategy: given.eval_strategy as 'epoch',
		evalSteps: given.eval_steps === null ? number('logging_steps') : number('eval_steps'),
		saveStrategy: 'no',
		saveSteps: 500,
		...{ metricForBestModel: undefined, greaterIsBetter: false, earlyStopping: undefined },
	};
	const plan = planOf(rows, options);
	const logs = history.filter(({ loss }) => loss !== undefined);
	const end = history.find(({ train_loss }) => train_loss !== undefined);
	const logged = logs.reduce((sum, { loss = 0 }, index) => sum + loss * ((logs[index]?.step ?? 0) - (logs[index - 1]?.step ?? 0)), 0);
	const lastLogged = logs.at(-1)?.step ?? 0;
	// What the steps after the last log entry must have had for the mean of the whole run.
	const rest = ((end?.train_loss ?? 0) * plan.totalSteps - logged) / (plan.totalSteps - lastLogged);
	const evaluations = history.filter(({ eval_runtime }) => eval_runtime !== undefined);
	let steps = 0;
	const { job } = jobOf(options, {
		plan,
		examples: {
			tokens: tokensInMemory([
				{ ids: new Int32Array(rows * rowLength), offsets: Int32Array.from({ length: rows + 1 }, (_, row) => row * rowLength) },
			]),
			targets: new Int32Array(rows),
			lines: new Int32Array(rows),
		},
		orderOf: () => Int32Array.from({ length: rows }, (_, row) => row),
		schedule: {
			name: given.lr_scheduler_type as 'linear',
			learningRate: number('learning_rate'),
			warmup: warmup < 1 ? warmupLength(plan.totalSteps, { warmupSteps: 0, warmupRatio: warmup }) : warmup,
			totalSteps: plan.totalSteps,
			kwargs: {},
		},
		session: {
			skipped: 0,
			step: async (batches) => {
				steps += 1;
				const log = logs.find(({ step }) => step >= steps);
				return { losses: Float64Array.from(batches, () => log?.loss ?? rest), gradNorm: log?.grad_norm ?? 0 };
			},
			accumulate: async (batches) => Float64Array.from(batches, () => logs.find(({ step }) => step >= steps + 1)?.loss ?? rest),
		},
		evaluate: async () => {
			const entry = evaluations.shift() as Entry;
			const metrics = { loss: entry.eval_loss as number, accuracy: entry.eval_accuracy as number, f1: entry.eval_f1 as number };
			return { ...measured, metrics: metrics as typeof measured.metrics, rows: 32, seconds: entry.eval_runtime as number };
		},
		stopped: () => steps === state.global_step && end === undefined,
	});
	const played = await play(job);
	const timings = { trainSeconds: end?.train_runtime ?? 0, stepsPerSecond: 0, tokensPerSecond: 0, peakRssBytes: 0 };
	return {
		text: trainerStateText({
			options,
			plan,
			rows,
			entries: played.events.filter((event): event is StateEntry => event.type === 'log' || event.type === 'evaluate'),
			step: played.end.state.step,
			epoch: played.end.state.epoch,
			paddedTokens: played.end.state.paddedTokens,
			parameters: parametersBesideEmbeddings(shape),
			...(end && { end: { loss: played.end.loss, timings } }),
		}),
		state,
	};
}

/** Lines without numbers that are sums of others (checked apart) or of the clock, whose recorded seconds are rounded. */
const settled = (text: string) => text.replace(/"(loss|train_loss|\w+_per_second)": .*?(,?)\n/g, '"$1": ...$2\n');

describe('trainer_state.json', () => {
	it.each(['default', 'logged', 'no_eval', 'eval_steps'])('is what Transformers 5.23 wrote of the run %s', async (name) => {
		const recorded = states[name] as Recorded;
		const { text, state } = await replay(recorded);
		// The rate of a cosine may differ in the last place: another libm.
		const rounded = (line: string) => line.replace(/"learning_rate": ([^,\n]+)/g, (_, rate) => `"learning_rate": ${Number(rate).toPrecision(15)}`);
		expect(rounded(settled(text))).toBe(rounded(settled(recorded.text)));
		const ours = JSON.parse(text).log_history as Entry[];
		for (const [index, entry] of (state.log_history as Entry[]).entries()) {
			// A mean of equal numbers, summed in another order.
			if (entry.loss !== undefined) expect(ours[index]?.loss).toBeCloseTo(entry.loss, 12);
			if (entry.train_loss !== undefined) expect(ours[index]?.train_loss).toBeCloseTo(entry.train_loss, 12);
			// Their seconds are rounded to four places, ours are counted from those: 0.5% of 0.014 s.
			for (const key of ['train_samples_per_second', 'train_steps_per_second', 'eval_samples_per_second'] as (keyof Entry)[]) {
				if (entry[key] !== undefined) expect((ours[index]?.[key] as number) / (entry[key] as number)).toBeCloseTo(1, 2);
			}
		}
	});

	it('has the log history of a run still under way, as a checkpoint of Transformers has it', async () => {
		const { text, state } = await replay(states['checkpoint-12'] as Recorded);
		const steady = (entries: Entry[]) => entries.map(({ loss: _, eval_samples_per_second: _s, eval_steps_per_second: _p, ...rest }) => rest);
		const ours = JSON.parse(text);
		expect(steady(ours.log_history)).toEqual(steady(state.log_history));
		expect([ours.epoch, ours.global_step, ours.max_steps, ours.eval_steps]).toEqual([1.5, 12, 16, 4]);
		expect(ours.total_flos).toBe(state.total_flos);
		expect(Object.keys(ours)).toEqual(Object.keys(state));
	});

	it('holds no rounded numbers but those 4.18 rounded, and no gradient norm there', () => {
		const options = {
			compat: '4.18',
			perDeviceTrainBatchSize: 8,
			perDeviceEvalBatchSize: 8,
			gradientAccumulationSteps: 1,
			numTrainEpochs: 1,
		} as const;
		const rest = { maxSteps: -1, loggingSteps: 2, evalStrategy: 'no', evalSteps: 2, saveSteps: 500 } as const;
		const entry = { type: 'log', step: 2, epoch: 0.67, loss: 0.1235, gradNorm: 3, learningRate: 1e-5 } as const;
		const plan = { batchesPerEpoch: 3, stepsPerEpoch: 3, totalSteps: 3, epochs: 1 };
		const text = trainerStateText({
			options: { ...options, ...rest },
			plan,
			rows: 24,
			entries: [entry],
			step: 2,
			epoch: 2 / 3,
			paddedTokens: 0,
			parameters: 1,
		});
		expect(JSON.parse(text).log_history).toEqual([{ epoch: 0.67, learning_rate: 1e-5, loss: 0.1235, step: 2 }]);
		expect(text).toContain('"learning_rate": 1e-05,');
	});
});

describe('numbers as Python writes them', () => {
	// What CPython 3.11 prints for repr(x) and round(x, 4).
	it.each([
		[3, '3.0'],
		[0, '0.0'],
		[1e-5, '1e-05'],
		[1.234e-7, '1.234e-07'],
		[0.0001, '0.0001'],
		[330808320, '330808320.0'],
		[1e16, '1e+16'],
		[123456789012345680, '1.2345678901234568e+17'],
		[9007199254740991, '9007199254740991.0'],
		[Number.NaN, 'NaN'],
		[Number.POSITIVE_INFINITY, 'Infinity'],
		[Number.NEGATIVE_INFINITY, '-Infinity'],
		[-2.5, '-2.5'],
	])('%d is %s', (value, text) => {
		expect(floatText(value)).toBe(text);
	});

	it.each([
		[0.03125, 0.0312],
		[0.09375, 0.0938],
		[0.00015, 0.0001],
		[0.00025, 0.0003],
		[2.00005, 2],
		[-0.03125, -0.0312],
		[0.61234567, 0.6123],
		[0, 0],
	])('%d rounds to %d', (value, rounded) => {
		expect(roundTo(value, 4)).toBe(rounded);
	});
});
