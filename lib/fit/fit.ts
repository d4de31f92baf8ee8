/** A run from first to last, as a story of events. */
import { AbortError, TrainingError } from '../errors.js';
import { optionDefaults, type ResolvedConfig } from '../options.js';
import { RunWatch, type WatchState } from '../report/diagnosis/watch.js';
import { type MeasureOptions, measure } from '../report/measure.js';
import { heard, type Wishes } from '../train/callbacks.js';
import { checkpointFolder } from '../train/checkpoint.js';
import type { Evaluation, LogEntry, Metrics, Timings, TrainerEvent } from '../train/events.js';
import { rowsOf } from '../train/examples.js';
import { openCheckpoint } from '../train/find-checkpoint.js';
import { type Job, type LoopEnd, runLoop } from '../train/loop.js';
import { guarded } from '../train/non-finite.js';
import { epochOrder } from '../train/order.js';
import type { History } from '../train/record.js';
import { countRows } from '../train/row-counts.js';
import type { Schedule } from '../train/schedule.js';
import { Warnings } from '../train/warnings.js';
import { Keeper, settledConfig } from './keeper.js';
import { type Prepared, prepare, type Request } from './prepare.js';
import type { Workplace } from './workplace.js';

export interface TrainResult {
	/** Of the model that is left, as the run measured it; undefined where it did not. */
	readonly metrics: Metrics | undefined;
	readonly history: readonly LogEntry[];
	readonly evaluations: readonly Evaluation[];
	/** Folder of the checkpoint of the best evaluation; undefined where none was asked for, or it was not saved. */
	readonly bestCheckpoint: string | undefined;
	readonly outputDir: string;
	readonly timings: Timings;
}

/** Trains and writes the model to `outputDir`. `history` sees every event before it goes on. */
export function runToEnd(request: Request, history: History): AsyncGenerator<TrainerEvent, TrainResult> {
	const wishes: Wishes = { evaluate: false, save: false, stop: false };
	return heard(steps(request, history, wishes), request.config.callbacks, wishes);
}

/** The steps of a run at the rates of `schedule`; nothing is kept, and a signal that stops it is no error. */
export async function* rehearse(request: Request, schedule: Schedule): AsyncGenerator<TrainerEvent, void> {
	const run = { ...(await prepare(request)), schedule };
	yield begun(run);
	const wishes: Wishes = { evaluate: false, save: false, stop: false };
	yield* loopOf(run, wishes, request.stopped, async function* () {});
}

async function* steps(request: Request, history: History, wishes: Wishes): AsyncGenerator<TrainerEvent, TrainResult> {
	const run = await prepare(request);
	const { config, plan, workplace, from } = run;
	if (from !== undefined) history.restore(from.state.history, from.state.loop);
	yield begun(run);
	for (const warning of run.warnings) yield { type: 'warning', ...warning };

	const watch = await RunWatch.open(
		{
			config: settledConfig(run),
			labels: run.material.labels,
			plan,
			rows: await countRows(
				run.material.train,
				run.material.eval,
				config.problemType === 'single_label_classification' ? run.material.labels.length : null,
			),
			drawnFromSeed: run.drawnFromSeed,
			session: workplace.session,
			layers: workplace.model.shape.layers,
			history,
			defaults: optionDefaults,
		},
		from?.state.watch as WatchState | undefined,
	);
	const keeper = new Keeper(run, history, watch);
	const end = yield* trained(run, watch, keeper, wishes, request.stopped);
	const papers = await keeper.papers(end);
	if (!end.finished) {
		workplace.papers = papers;
		const reason = { cause: request.signal?.reason };
		const { step, pass, batches } = end.state;
		if (pass === 0 && batches === 0) throw new AbortError('The run was stopped before its first step; nothing was saved', reason);
		const checkpoint = yield* keeper.save(end.state);
		await keeper.writeInterrupted(papers);
		throw new AbortError(`The run was stopped after step ${step} of ${plan.totalSteps}; ${checkpoint} holds it`, {
			...reason,
			checkpoint,
			hint: 'go on with fit({ resume: true }), on the command line with --resume',
		});
	}
	const left = yield* bestOrLast(run, end, history);
	workplace.papers = papers;
	await workplace.write(config.outputDir, papers);
	await keeper.forgetUnfinished();
	const { step, epoch } = end.state;
	const { timings, best } = papers.record;
	yield { type: 'save', step, epoch, path: config.outputDir };
	yield { type: 'trainEnd', step, epoch, loss: end.loss, timings };
	return {
		metrics: left?.metrics,
		history: history.log,
		evaluations: history.evaluations,
		bestCheckpoint: best?.checkpoint ?? undefined,
		outputDir: config.outputDir,
		timings,
	};
}

function begun({ model, material, plan, config, from, readSeconds, identity }: Prepared): TrainerEvent {
	return {
		type: 'trainBegin',
		model,
		labels: material.labels,
		rows: rowsOf(material.train),
		evalRows: material.eval === undefined ? 0 : rowsOf(material.eval),
		...plan,
		evalStrategy: config.evalStrategy,
		dtype: identity.machine.dtype,
		readSeconds,
		tokensFromCache: material.tokensFromCache,
		...(from && { resumedFrom: { path: from.checkpoint.folder, step: from.state.step } }),
	};
}

/** The loop; what ends it before its time is written down. */
async function* trained(
	run: Prepared,
	watch: RunWatch,
	keeper: Keeper,
	wishes: Wishes,
	stopped: () => boolean,
): AsyncGenerator<TrainerEvent, LoopEnd> {
	try {
		return yield* watch.over(loopOf(run, wishes, stopped, (state) => keeper.save(state)));
	} catch (error) {
		await keeper.writeFailed(error);
		throw withCheckpoint(error, keeper.latest);
	}
}

function loopOf(run: Prepared, wishes: Wishes, stopped: () => boolean, save: Job['save']): AsyncGenerator<TrainerEvent, LoopEnd> {
	const { config, workplace, material, plan, schedule } = run;
	const rows = material.eval;
	const warnings = new Warnings();
	const warn = warnings.add.bind(warnings);
	const from = run.from?.state.loop;
	const past = { spoilt: from?.waiting.some(Number.isNaN) ?? false, skipped: from?.skipped ?? 0 };
	return warnings.among(
		runLoop({
			session: guarded(workplace.session, { ...config, source: run.train, lines: material.train.lines, warn, ...past }),
			options: config,
			plan,
			schedule,
			examples: material.train,
			orderOf: (epoch) => epochOrder(epoch, run.order),
			evaluate: rows && (() => measure(rows, measureOptions(workplace, config, stopped, warn))),
			save,
			stopped,
			wishes,
			from,
		}),
	);
}

/** Puts the model of the best evaluation in place where that is asked for. Returns the evaluation of the model that is then there. */
async function* bestOrLast(
	{ config, workplace }: Prepared,
	{ state }: LoopEnd,
	history: History,
): AsyncGenerator<TrainerEvent, Evaluation | undefined> {
	const { best } = state.best;
	const last = history.evaluations.at(-1);
	if (!config.loadBestModelAtEnd || best === null || best.step === state.step) return last;
	try {
		const { folder } = await openCheckpoint(checkpointFolder(config.outputDir, best.step), { hashes: false });
		await workplace.load(folder);
		return history.evaluations.find(({ step }) => step === best.step);
	} catch (error) {
		yield {
			type: 'warning',
			code: 'BEST_NOT_LOADED',
			message: `The model of the last step is left instead of the best: ${(error as Error).message}`,
		};
		return last;
	}
}

/** `warn`: told of what a `computeMetrics` of the user's throws. */
export function measureOptions(
	{ session, model }: Workplace,
	config: ResolvedConfig,
	stopped: () => boolean,
	warn: MeasureOptions['warn'],
): MeasureOptions {
	const { labelSmoothingFactor: labelSmoothing, perDeviceEvalBatchSize: batchSize } = config;
	return { ...config, session, labels: model.labels, labelSmoothing, batchSize, stopped, warn };
}

/** A run that failed, with where it can go on from. */
function withCheckpoint(error: unknown, checkpoint: string | undefined): unknown {
	if (!(error instanceof TrainingError)) return error;
	const { code, message, hint, details, cause } = error;
	const place = checkpoint === undefined ? 'there is no checkpoint yet' : `the last checkpoint is ${checkpoint}`;
	return new TrainingError(code, `${message}; ${place}`, { hint, cause, details, checkpoint });
}
