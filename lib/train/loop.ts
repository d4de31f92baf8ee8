/** The training loop: rows to steps to events, in the order things happen. */
import { Best, type BestOptions, type BestState } from './best.js';
import type { Wishes } from './callbacks.js';
import type { Evaluation, LogEntry, Measured, Position, TrainerEvent } from './events.js';
import { type Examples, pack } from './examples.js';
import { Meter, type MeterState } from './meter.js';
import type { StepSession } from './non-finite.js';
import { type Group, groupsOfEpoch, type Plan, type PlanOptions } from './plan.js';
import { roundTo } from './python-number.js';
import { rateAt, type Schedule } from './schedule.js';

export interface LoopOptions extends PlanOptions, BestOptions {
	readonly loggingStrategy: 'steps' | 'epoch' | 'no';
	readonly loggingSteps: number;
	readonly loggingFirstStep: boolean;
	readonly evalStrategy: 'epoch' | 'steps' | 'no';
	readonly evalSteps: number;
	readonly saveStrategy: 'epoch' | 'steps' | 'best' | 'no';
	readonly saveSteps: number;
}

export interface Job {
	readonly session: StepSession;
	readonly options: LoopOptions;
	readonly plan: Plan;
	readonly schedule: Schedule;
	readonly examples: Examples;
	/** Row numbers in the order of an epoch (0-based). */
	readonly orderOf: (epoch: number) => Int32Array;
	/** Measures the model as it is; undefined where it was stopped on the way. Left out where there are no rows to measure on. */
	readonly evaluate: (() => Promise<Measured | undefined>) | undefined;
	/** Keeps the run as it stands, and tells of it. */
	readonly save: (state: LoopState) => AsyncGenerator<TrainerEvent, unknown>;
	/** Asked before every batch. */
	readonly stopped: () => boolean;
	readonly wishes: Wishes;
	/** Where an earlier loop stood, to go on from there. */
	readonly from?: LoopState | undefined;
}

/** Where a loop stands: with the session's own state all it needs to go on as if it had never stopped. */
export interface LoopState extends Position {
	/** The pass that is under way or comes next, from 0. */
	readonly pass: number;
	/** Batches of it that are consumed. */
	readonly batches: number;
	/** Losses of the latest ones, where they wait for the rest of their step. */
	readonly waiting: readonly number[];
	/** Updates left out in a row because they were no numbers, the one under way included. */
	readonly skipped: number;
	/** What was stopped before it was done: the measuring and saving that follow a step or an epoch. */
	readonly owes: 'nothing' | 'step' | 'epoch';
	readonly meter: MeterState;
	/** Loss of the latest log entry; null before the first. */
	readonly loggedLoss: number | null;
	/** The latest step; null before the first. */
	readonly last: LogEntry | null;
	readonly tokens: number;
	/** Tokens that padding each batch to its longest row would have made of them. */
	readonly paddedTokens: number;
	readonly best: BestState;
}

/** How a loop ended. */
export interface LoopEnd {
	readonly finished: boolean;
	/** Mean loss of all steps; NaN before the first. */
	readonly loss: number;
	readonly state: LoopState;
}

/** Trains to the end of the plan, until patience is at its end or a wish ends it, or until `stopped`. */
export async function* runLoop(job: Job): AsyncGenerator<TrainerEvent, LoopEnd> {
	const { session, options, plan, examples, wishes, from } = job;
	const meter = new Meter(from?.meter);
	const best = new Best(options, from?.best);
	let { step, epoch, pass, batches, owes, loggedLoss, last, tokens, paddedTokens } = from ?? start;
	let waiting = [...(from?.waiting ?? [])];
	const state = (): LoopState => {
		const place = { step, epoch, pass, batches, waiting: [...waiting], skipped: session.skipped, owes };
		return { ...place, meter: meter.state, loggedLoss, last, tokens, paddedTokens, best: best.state };
	};
	const end = (finished: boolean): LoopEnd => ({ finished, loss: meter.mean, state: state() });
	const over = () => step === plan.totalSteps || best.exhausted || wishes.stop;

	if (owes !== 'nothing' && !(yield* afterwards(owes))) return end(false);
	while (batches > 0 || (pass < plan.epochs && !over())) {
		if (batches === 0) {
			yield { type: 'epochBegin', step, epoch: pass };
			meter.beginEpoch();
		}
		for (const group of groupsOfEpoch(job.orderOf(pass), plan, options, batches)) {
			if (over()) break;
			const learningRate = rateAt(step, job.schedule);
			let gradNorm = Number.NaN;
			let groupTokens = 0;
			while (waiting.length < group.batches.length) {
				if (job.stopped()) return end(false);
				const batch = pack(examples, group.batches[waiting.length] as Int32Array);
				gradNorm = await compute(group, batch, learningRate);
				batches += 1;
				groupTokens += batch.ids.length;
				tokens += batch.ids.length;
				paddedTokens += paddedLength(batch.offsets);
			}
			const loss = meter.add(waiting, group.divisor);
			waiting = [];
			if (!group.steps) continue;

			step += 1;
			meter.step();
			epoch = pass + batches / plan.batchesPerEpoch;
			last = { step, epoch, loss, gradNorm, learningRate };
			yield { type: 'step', ...last, tokens: groupTokens };
			if (logsAfter(step)) yield { type: 'log', ...takeLog(last) };
			if (!(yield* afterwards('step'))) return end(false);
		}
		yield { type: 'epochEnd', step, epoch, loss: meter.epochMean };
		if (options.loggingStrategy === 'epoch' && last !== null && meter.due) yield { type: 'log', ...takeLog(last) };
		pass += 1;
		batches = 0;
		if (!(yield* afterwards('epoch'))) return end(false);
	}
	return end(true);

	/** The next batch of `group`; the last one of a group that steps updates the model. */
	async function compute(group: Group, batch: ReturnType<typeof pack>, learningRate: number): Promise<number> {
		const rows = group.batches.slice(0, waiting.length + 1);
		const where = { step: step + 1, rows };
		const updates = group.steps && rows.length === group.batches.length;
		const { losses, gradNorm } = updates
			? await session.step([batch], learningRate, group.divisor, where)
			: { losses: await session.accumulate([batch], group.divisor, where), gradNorm: Number.NaN };
		waiting.push(...losses);
		return gradNorm;
	}

	/** Measures, weighs and saves, as far as that is due. False where it was stopped on the way; then it is owed. */
	async function* afterwards(what: 'step' | 'epoch'): AsyncGenerator<TrainerEvent, boolean> {
		owes = what;
		let better = false;
		if (job.evaluate !== undefined && evaluatesAfter(what)) {
			const measured = await job.evaluate();
			if (measured === undefined) return false;
			wishes.evaluate = false;
			const evaluation: Evaluation = { step, epoch, ...measured, loggedLoss, epochLoss: meter.epochMean };
			better = best.add(evaluation);
			yield { type: 'evaluate', ...evaluation };
		}
		owes = 'nothing';
		if (savesAfter(what, better)) {
			wishes.save = false;
			yield* job.save(state());
		}
		return true;
	}

	function logsAfter(taken: number): boolean {
		if (options.loggingStrategy !== 'steps') return false;
		return taken % options.loggingSteps === 0 || (taken === 1 && options.loggingFirstStep);
	}

	/** With steps, 5.x also evaluates after the last one (trainer_callback.py, DefaultFlowCallback). */
	function evaluatesAfter(what: 'step' | 'epoch'): boolean {
		if (wishes.evaluate) return true;
		if (what === 'epoch') return options.evalStrategy === 'epoch';
		if (options.evalStrategy !== 'steps') return false;
		return step % options.evalSteps === 0 || (step === plan.totalSteps && options.compat === '5');
	}

	/** With steps, also after the last one, as in 5.x. */
	function savesAfter(what: 'step' | 'epoch', better: boolean): boolean {
		if (wishes.save || (options.saveStrategy === 'best' && better)) return true;
		if (what === 'epoch') return options.saveStrategy === 'epoch';
		return options.saveStrategy === 'steps' && (step % options.saveSteps === 0 || step === plan.totalSteps);
	}

	/** As Transformers logs: 4.18 rounds, and shows the rate of the step to come. */
	function takeLog(entry: LogEntry): LogEntry {
		loggedLoss = meter.takeLog();
		if (options.compat === '5') return { ...entry, loss: loggedLoss };
		loggedLoss = roundTo(loggedLoss, 4);
		return { ...entry, loss: loggedLoss, epoch: roundTo(entry.epoch, 2), learningRate: rateAt(entry.step, job.schedule) };
	}
}

type Counts = Pick<LoopState, 'step' | 'epoch' | 'pass' | 'batches' | 'owes' | 'loggedLoss' | 'last' | 'tokens' | 'paddedTokens'>;
const start: Counts = { step: 0, epoch: 0, pass: 0, batches: 0, owes: 'nothing', loggedLoss: null, last: null, tokens: 0, paddedTokens: 0 };

function paddedLength(offsets: Int32Array): number {
	let longest = 0;
	for (let row = 1; row < offsets.length; row++) longest = Math.max(longest, (offsets[row] ?? 0) - (offsets[row - 1] ?? 0));
	return longest * (offsets.length - 1);
}
