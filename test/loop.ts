import type { RaggedBatch, StepResult } from '../lib/runtime/native.js';
import type { Measured, TrainerEvent } from '../lib/train/events.js';
import type { Examples } from '../lib/train/examples.js';
import { type Job, type LoopEnd, runLoop } from '../lib/train/loop.js';
import { type PlanOptions, planOf } from '../lib/train/plan.js';
import { tokensInMemory } from '../lib/train/tokens.js';
import { someMetrics } from './metrics.js';

// The training loop without an engine: a session that says what it is told to.

export const planOptions: PlanOptions = {
	compat: '5',
	perDeviceTrainBatchSize: 8,
	gradientAccumulationSteps: 1,
	dataloaderDropLast: false,
	numTrainEpochs: 3,
	maxSteps: -1,
};

/** Rows [100 r, 100 r + 1, ...], row r of r + 2 tokens. */
export function examplesOf(rows: number): Examples {
	const lengths = Array.from({ length: rows }, (_, row) => row + 2);
	const offsets = Int32Array.from([0, ...lengths.map((_, row) => lengths.slice(0, row + 1).reduce((a, b) => a + b))]);
	const ids = Int32Array.from(lengths.flatMap((length, row) => Array.from({ length }, (_, token) => 100 * row + token)));
	return {
		tokens: tokensInMemory([{ ids, offsets }]),
		targets: Int32Array.from(lengths, (_, row) => row % 2),
		lines: Int32Array.from(lengths, (_, row) => row + 1),
	};
}

export const measured: Measured = {
	metrics: await someMetrics({ loss: 0.5, accuracy: 0.5 }),
	rows: 4,
	seconds: 0.1,
};

export interface Call {
	readonly batches: readonly RaggedBatch[];
	/** undefined where gradients were only added up. */
	readonly rate: number | undefined;
	readonly divisor: number;
}

/** Six rows, two a batch, two epochs; the loss of a batch is the number of its step, the norm ten times that. */
export function jobOf(changes: Partial<Job['options']> = {}, others: Partial<Job> = {}): { job: Job; calls: Call[] } {
	const calls: Call[] = [];
	const steps = () => calls.filter(({ rate }) => rate !== undefined).length;
	const lossesOf = (batches: readonly RaggedBatch[], step: number) => {
		return { losses: Float64Array.from(batches, () => step), gradNorm: 10 * step };
	};
	const options: Job['options'] = {
		...planOptions,
		loggingStrategy: 'steps',
		loggingSteps: 2,
		loggingFirstStep: false,
		evalStrategy: 'epoch',
		evalSteps: 3,
		saveStrategy: 'no',
		saveSteps: 3,
		...{ metricForBestModel: undefined, greaterIsBetter: false, earlyStopping: undefined },
		perDeviceTrainBatchSize: 2,
		numTrainEpochs: 2,
		...changes,
	};
	const plan = planOf(6, options);
	const job: Job = {
		session: {
			skipped: 0,
			step: async (batches, rate, divisor): Promise<StepResult> => {
				calls.push({ batches, rate, divisor });
				return lossesOf(batches, steps());
			},
			accumulate: async (batches, divisor) => {
				calls.push({ batches, rate: undefined, divisor });
				return lossesOf(batches, steps() + 1).losses;
			},
		},
		options,
		plan,
		schedule: { name: 'linear', learningRate: 1, warmup: 0, totalSteps: plan.totalSteps, kwargs: {} },
		examples: examplesOf(6),
		orderOf: () => Int32Array.of(5, 4, 3, 2, 1, 0),
		evaluate: async () => measured,
		stopped: () => false,
		wishes: { evaluate: false, save: false, stop: false },
		save: async function* (state) {
			yield { type: 'save', step: state.step, epoch: state.epoch, path: `checkpoint-${state.step}` };
		},
		...others,
	};
	return { job, calls };
}

export async function play(job: Job): Promise<{ events: TrainerEvent[]; end: LoopEnd }> {
	const events: TrainerEvent[] = [];
	const loop = runLoop(job);
	for (;;) {
		const next = await loop.next();
		if (next.done) return { events, end: next.value };
		events.push(next.value);
	}
}
