/**
 * The learning-rate range test of Smith (Cyclical Learning Rates for Training Neural Networks, WACV 2017, arXiv 1506.01186, section 3.3) in the form of fast.ai:
 * the rate rises by the same factor a step, and the test ends where the loss does.
 */

import { AbortError, ConfigError, TrainingError } from '../errors.js';
import { isSplit } from '../option-check.js';
import type { TrainerConfig } from '../options.js';
import type { TrainerEvent } from '../train/events.js';
import { Trainer } from '../trainer.js';
import { type Proposal, proposalOf } from './proposal.js';

/**
 * Bounds of the rate. AdamW moves a weight by about the rate each step, whatever the loss, and the weights of a fine-tuned model are of the order of .04: at
 * 1e-7 a hundred steps move them by less than a thousandth of themselves, at 1e-1 one step moves them past themselves. fast.ai's 1e-7 to 10
 * is made for other optimizers and new networks.
 */
export const lowestRate = 1e-7;
export const highestRate = 1e-1;
/** Fifty a factor of ten: a batch of eight says little alone. */
export const defaultSteps = 300;
/** With fewer the shape of the curve is that of single batches. */
const leastSteps = 50;
/** fast.ai's: a smoothed loss of more than so many times the best so far has diverged; here it also has to be above where it began, since a task may be so easy that the best is next to 0. */
const divergence = 4;

export interface RatePoint {
	readonly step: number;
	readonly learningRate: number;
	/** Mean of the batch. */
	readonly loss: number;
}

export interface RangeTest extends Proposal {
	readonly format: 1;
	readonly config: Readonly<Record<string, unknown>>;
	/** Steps that were planned. */
	readonly steps: number;
	/** Rate the test was ended at because the loss had diverged; null where it came to its last step. */
	readonly diverged: number | null;
	readonly points: readonly RatePoint[];
}

export interface RangeTestOptions {
	readonly signal?: AbortSignal | undefined;
	readonly onEvent?: (event: TrainerEvent) => void;
}

/** Options of what is measured, kept and told, which a range test does none of. */
const noPart: ReadonlySet<string> = new Set(['eval', 'earlyStopping', 'loadBestModelAtEnd', 'metricForBestModel', 'callbacks']);

/**
 * Steps of a run with these options at rising rates; nothing is written and the model is thrown away. `maxSteps` is the number of steps, 300 where it is not given;
 * rates and schedule of the options have no say. Throws AbortError where `signal` ends it.
 */
export async function rangeTest(config: TrainerConfig, { signal, onEvent }: RangeTestOptions = {}): Promise<RangeTest> {
	const steps = config.maxSteps === undefined || config.maxSteps === -1 ? defaultSteps : config.maxSteps;
	if (steps < leastSteps) {
		const sentence = `Expected \`maxSteps\` to be at least ${leastSteps} for a range test, got ${steps}`;
		throw new ConfigError('OPTIONS_INVALID', sentence, { hint: `leave it out for ${defaultSteps}` });
	}
	const rehearsed = {
		...Object.fromEntries(Object.entries(config).filter(([name]) => !noPart.has(name))),
		// Rows that a run would hold back stay out of its steps here too.
		...(isSplit(config.eval) && { eval: config.eval }),
		...{ maxSteps: steps, evalStrategy: 'no', loggingStrategy: 'no', saveStrategy: 'no', onNonFinite: 'stop' },
	} as unknown as TrainerConfig;
	const ending = new AbortController();
	const either = signal === undefined ? ending.signal : AbortSignal.any([ending.signal, signal]);
	const points: RatePoint[] = [];
	const watch = new DivergenceWatch(steps);
	let diverged: number | null = null;
	const trainer = new Trainer(rehearsed);
	try {
		const schedule = { name: 'geometric', learningRate: lowestRate, warmup: 0, totalSteps: steps, kwargs: { lrEnd: highestRate } } as const;
		for await (const event of trainer.rehearse(schedule, { signal: either })) {
			onEvent?.(event);
			if (event.type !== 'step' || diverged !== null) continue;
			points.push({ step: event.step, learningRate: event.learningRate, loss: event.loss });
			if (!watch.diverges(event.loss)) continue;
			diverged = event.learningRate;
			ending.abort('diverged');
		}
	} catch (error) {
		// The engine's refusal of a loss that is no number is how far a test can go.
		if (!(error instanceof TrainingError && error.code === 'NON_FINITE') || points.length === 0) throw error;
		diverged = points.at(-1)?.learningRate ?? null;
	} finally {
		await trainer.dispose();
	}
	if (signal?.aborted)
		throw new AbortError(`The range test was stopped after step ${points.length} of ${steps}; nothing was saved`, { cause: signal.reason });
	const { train, eval: _, ...named } = trainer.config;
	return {
		format: 1,
		config: { ...named, train: typeof train === 'string' ? train : 'rows' },
		steps,
		diverged,
		points,
		...proposalOf(points, steps),
	};
}

/** Watches the running mean of the losses, a twenty-fifth of the steps long and corrected for its start as Adam's is. */
export class DivergenceWatch {
	readonly #decay: number;
	#mean = 0;
	#count = 0;
	#first: number | undefined;
	#best = Number.POSITIVE_INFINITY;

	constructor(steps: number) {
		this.#decay = Math.exp(-25 / steps);
	}

	diverges(loss: number): boolean {
		if (!Number.isFinite(loss)) return true;
		this.#count += 1;
		this.#mean = this.#decay * this.#mean + (1 - this.#decay) * loss;
		const smooth = this.#mean / (1 - this.#decay ** this.#count);
		this.#best = Math.min(this.#best, smooth);
		this.#first ??= smooth;
		return smooth > Math.max(divergence * this.#best, this.#first);
	}
}
