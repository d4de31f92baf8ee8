/** The training loop: rows to steps to events, in the order things happen. */
import { TrainingError } from '../errors.js';
import type { NativeSession, RaggedBatch } from '../runtime/native.js';
import type { Evaluation, LogEntry, Measured, Position, TrainerEvent } from './events.js';
import { type Examples, pack } from './examples.js';
import { Meter } from './meter.js';
import { type Group, groupsOfEpoch, type Plan, type PlanOptions } from './plan.js';
import { roundTo } from './python-number.js';
import { rateAt, type Schedule } from './schedule.js';

export interface LoopOptions extends PlanOptions {
	readonly loggingStrategy: 'steps' | 'epoch' | 'no';
	readonly loggingSteps: number;
	readonly loggingFirstStep: boolean;
	readonly evalStrategy: 'epoch' | 'steps' | 'no';
	readonly evalSteps: number;
}

export interface Job {
	readonly session: Pick<NativeSession, 'step' | 'accumulate'>;
	readonly options: LoopOptions;
	readonly plan: Plan;
	readonly schedule: Schedule;
	readonly examples: Examples;
	/** Row numbers in the order of an epoch (0-based). */
	readonly orderOf: (epoch: number) => Int32Array;
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
	/** Tokens that padding each batch to its longest row would have made of them. */
	readonly paddedTokens: number;
}

/** Trains to the end of the plan, or until `stopped`. */
export async function* runLoop(job: Job): AsyncGenerator<TrainerEvent, LoopEnd> {
	const { session, options, plan, examples } = job;
	const meter = new Meter();
	let loggedLoss: number | null = null;
	let last: LogEntry | undefined;
	let [step, epoch, tokens, paddedTokens] = [0, 0, 0, 0];
	const end = (finished: boolean): LoopEnd => ({ step, epoch, finished, loss: meter.mean, tokens, paddedTokens });

	for (let pass = 0; pass < plan.epochs; pass++) {
		yield { type: 'epochBegin', step, epoch: pass };
		meter.beginEpoch();
		let batchesDone = 0;
		for (const group of groupsOfEpoch(job.orderOf(pass), plan, options)) {
			if (job.stopped()) return end(false);
			const batches = group.batches.map((rows) => pack(examples, rows));
			const learningRate = rateAt(step, job.schedule);
			const { losses, gradNorm } = await compute(group, batches, learningRate);
			const loss = meter.add(losses, group.divisor);
			const groupTokens = batches.reduce((sum, { ids }) => sum + ids.length, 0);
			tokens += groupTokens;
			paddedTokens += batches.reduce((sum, { offsets }) => sum + paddedLength(offsets), 0);
			if (!group.steps) continue;

			step += 1;
			meter.step();
			batchesDone += batches.length;
			epoch = pass + batchesDone / plan.batchesPerEpoch;
			last = { step, epoch, loss, gradNorm, learningRate };
			yield { type: 'step', ...last, tokens: groupTokens };
			if (logsAfter(step)) yield { type: 'log', ...takeLog(last) };
			if (evaluatesAfter(step)) {
				const evaluation = await measure();
				if (evaluation === undefined) return end(false);
				yield { type: 'evaluate', ...evaluation };
			}
			if (step === plan.totalSteps) break;
		}
		yield { type: 'epochEnd', step, epoch, loss: meter.epochMean };
		if (options.loggingStrategy === 'epoch' && last !== undefined && meter.due) yield { type: 'log', ...takeLog(last) };
		if (options.evalStrategy === 'epoch') {
			const evaluation = await measure();
			if (evaluation === undefined) return end(false);
			yield { type: 'evaluate', ...evaluation };
		}
	}
	return end(true);

	async function compute({ batches: rows, divisor, steps }: Group, batches: readonly RaggedBatch[], learningRate: number) {
		try {
			if (steps) return await session.step(batches, learningRate, divisor);
			return { losses: await session.accumulate(batches, divisor), gradNorm: Number.NaN };
		} catch (cause) {
			throw stepError(cause, step + 1, rows);
		}
	}

	function logsAfter(taken: number): boolean {
		if (options.loggingStrategy !== 'steps') return false;
		return taken % options.loggingSteps === 0 || (taken === 1 && options.loggingFirstStep);
	}

	/** With steps, 5.x also evaluates after the last one (trainer_callback.py, DefaultFlowCallback). */
	function evaluatesAfter(taken: number): boolean {
		if (options.evalStrategy !== 'steps') return false;
		return taken % options.evalSteps === 0 || (taken === plan.totalSteps && options.compat === '5');
	}

	/** As Transformers logs: 4.18 rounds, and shows the rate of the step to come. */
	function takeLog(entry: LogEntry): LogEntry {
		loggedLoss = meter.takeLog();
		if (options.compat === '5') return { ...entry, loss: loggedLoss };
		loggedLoss = roundTo(loggedLoss, 4);
		return { ...entry, loss: loggedLoss, epoch: roundTo(entry.epoch, 2), learningRate: rateAt(entry.step, job.schedule) };
	}

	async function measure(): Promise<Evaluation | undefined> {
		const measured = await job.evaluate();
		return measured && { step, epoch, ...measured, loggedLoss, epochLoss: meter.epochMean };
	}
}

function paddedLength(offsets: Int32Array): number {
	let longest = 0;
	for (let row = 1; row < offsets.length; row++) longest = Math.max(longest, (offsets[row] ?? 0) - (offsets[row - 1] ?? 0));
	return longest * (offsets.length - 1);
}

/** A refusal of the engine, such as NON_FINITE, with the rows (1-based, of the training data) it was working on. */
function stepError(cause: unknown, step: number, rows: readonly Int32Array[]): unknown {
	const { code, message, hint } = cause as { code?: string; message: string; hint?: string };
	if (code === undefined) return cause;
	const numbers = rows.flatMap((batch) => [...batch].map((row) => row + 1));
	return new TrainingError(code, `${message} (step ${step}, rows ${numbers.join(', ')})`, { cause, hint, details: { step, rows: numbers } });
}
