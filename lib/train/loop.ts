/** The training loop: rows to steps to events, in the order things happen. */
import { TrainingError } from '../errors.js';
import type { NativeSession } from '../runtime/native.js';
import type { Evaluation, Measured, Position, TrainerEvent } from './events.js';
import { type Examples, pack } from './examples.js';
import { Meter } from './meter.js';
import { epochOrder, type Plan, type PlanOptions, stepsOfEpoch } from './order.js';
import { linearRate, warmupLength } from './schedule.js';

export interface LoopOptions extends PlanOptions {
	readonly learningRate: number;
	readonly warmupSteps: number;
	readonly warmupRatio: number;
	readonly dataSeed: number;
	readonly loggingSteps: number;
	readonly evalStrategy: 'epoch' | 'steps' | 'no';
	readonly evalSteps: number;
}

export interface Job {
	readonly session: Pick<NativeSession, 'step'>;
	readonly options: LoopOptions;
	readonly plan: Plan;
	readonly examples: Examples;
	readonly permutation: (seed: number, n: number) => Int32Array;
	/** Measures the model as it is; undefined where it was stopped on the way. */
	readonly evaluate: () => Promise<Measured | undefined>;
	/** Asked before every step. */
	readonly stopped: () => boolean;
}

/** How a run ended. */
export interface LoopEnd extends Position {
	readonly finished: boolean;
	/** Mean loss of all steps; NaN before the first. */
	readonly loss: number;
	readonly tokens: number;
}

/** Trains to the end of the plan, or until `stopped`. */
export async function* runLoop(job: Job): AsyncGenerator<TrainerEvent, LoopEnd> {
	const { session, options, plan, examples } = job;
	const warmup = warmupLength(plan.totalSteps, options);
	const meter = new Meter();
	let loggedLoss: number | null = null;
	let [step, epoch, tokens] = [0, 0, 0];
	const end = (finished: boolean): LoopEnd => ({ step, epoch, finished, loss: meter.mean, tokens });

	for (let pass = 0; pass < plan.epochs; pass++) {
		yield { type: 'epochBegin', step, epoch: pass };
		meter.beginEpoch();
		let batchesDone = 0;
		for (const rows of stepsOfEpoch(epochOrder(job.permutation, options.dataSeed, pass, examples.classes.length), plan, options)) {
			if (job.stopped()) return end(false);
			const learningRate = linearRate(step, options.learningRate, warmup, plan.totalSteps);
			const batches = rows.map((row) => pack(examples, row));
			const result = await session.step(batches, learningRate).catch((cause: unknown) => {
				throw stepError(cause, step + 1, rows);
			});
			step += 1;
			batchesDone += batches.length;
			epoch = pass + batchesDone / plan.batchesPerEpoch;
			const stepTokens = batches.reduce((sum, { ids }) => sum + ids.length, 0);
			tokens += stepTokens;

			const entry = { step, epoch, loss: meter.add(result), gradNorm: result.gradNorm, learningRate };
			yield { type: 'step', ...entry, tokens: stepTokens };
			if (step % options.loggingSteps === 0) {
				loggedLoss = meter.takeLog();
				yield { type: 'log', ...entry, loss: loggedLoss };
			}
			if (options.evalStrategy === 'steps' && step % options.evalSteps === 0) {
				const evaluation = await measure();
				if (evaluation === undefined) return end(false);
				yield { type: 'evaluate', ...evaluation };
			}
			if (step === plan.totalSteps) break;
		}
		yield { type: 'epochEnd', step, epoch, loss: meter.epochMean };
		if (options.evalStrategy === 'epoch') {
			const evaluation = await measure();
			if (evaluation === undefined) return end(false);
			yield { type: 'evaluate', ...evaluation };
		}
	}
	return end(true);

	async function measure(): Promise<Evaluation | undefined> {
		const measured = await job.evaluate();
		return measured && { step, epoch, ...measured, loggedLoss, epochLoss: meter.epochMean };
	}
}

/** A refusal of the engine, such as NON_FINITE, with the rows (1-based, of the training data) it was working on. */
function stepError(cause: unknown, step: number, rows: readonly Int32Array[]): unknown {
	const { code, message, hint } = cause as { code?: string; message: string; hint?: string };
	if (code === undefined) return cause;
	const numbers = rows.flatMap((batch) => [...batch].map((row) => row + 1));
	return new TrainingError(code, `${message} (step ${step}, rows ${numbers.join(', ')})`, { cause, hint, details: { step, rows: numbers } });
}
