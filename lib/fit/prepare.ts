/** All that is read and opened before a run's first step. */
import { Dataset } from '../dataset.js';
import { AbortError, ConfigError } from '../errors.js';
import { withLabels } from '../model/config.js';
import { openModelFolder, resolveModel } from '../model/folder.js';
import { removeLeftovers } from '../model/leftovers.js';
import { requireWritable } from '../model/write-folder.js';
import { isSplit } from '../option-check.js';
import type { ResolvedConfig } from '../options.js';
import { tokensFolder } from '../runtime/cache.js';
import { loadBase, loadEngine } from '../runtime/load.js';
import { Tokenizer } from '../tokenizer.js';
import type { Checkpoint } from '../train/checkpoint.js';
import { settledWeights } from '../train/class-weights.js';
import { dtypeWarnings, settledDtype } from '../train/dtype.js';
import { lengthsOf, requireKnownTokens, rowsOf } from '../train/examples.js';
import { findCheckpoint, openCheckpoint } from '../train/find-checkpoint.js';
import { identityOf } from '../train/identity.js';
import { gather, type Material } from '../train/material.js';
import type { OrderOptions } from '../train/order.js';
import { type Plan, planOf } from '../train/plan.js';
import type { ReadingOptions } from '../train/reading.js';
import type { Warning } from '../train/record.js';
import { requireSameRun } from '../train/resume.js';
import { type Identity, type RunState, readRunState } from '../train/run-state.js';
import { rowWeights } from '../train/sampling.js';
import { type Schedule, scheduleOf } from '../train/schedule.js';
import { sessionOptions } from '../train/session.js';
import { TokenCache } from '../train/token-cache.js';
import { Workplace } from './workplace.js';

export interface Request {
	readonly config: ResolvedConfig;
	readonly train: Dataset;
	readonly eval: Dataset | { readonly split: number } | undefined;
	/** true: the newest whole checkpoint of `outputDir`, where there is one; a text: that one. */
	readonly resume: boolean | string | undefined;
	readonly signal: AbortSignal | undefined;
	/** Whether the run is to end, by the signal or otherwise. */
	readonly stopped: () => boolean;
	/** Told of what holds native memory as soon as it does. */
	readonly occupy: (workplace: Workplace) => void;
}

export interface Prepared {
	readonly config: ResolvedConfig;
	readonly train: Dataset;
	/** What train and eval are called. */
	readonly sources: { readonly train: string; readonly eval: string | { readonly split: number } | undefined };
	/** Folder of the model the run starts from. */
	readonly model: string;
	readonly material: Material;
	readonly classWeights: readonly number[] | undefined;
	readonly plan: Plan;
	readonly schedule: Schedule;
	readonly order: OrderOptions;
	readonly identity: Identity;
	readonly torchVersion: string;
	readonly workplace: Workplace;
	/** Where it goes on from. */
	readonly from: { readonly checkpoint: Checkpoint; readonly state: RunState } | undefined;
	/** Parameters the model to start from did not have. */
	readonly drawnFromSeed: readonly string[];
	readonly readSeconds: number;
	/** What is to be told once the run has begun. */
	readonly warnings: readonly Warning[];
}

/** Throws ConfigError, DataError, ModelError, RuntimeUnavailableError, TrainingError of a checkpoint, or AbortError. */
export async function prepare(request: Request): Promise<Prepared> {
	const { config } = request;
	await removeLeftovers(config.outputDir);
	const found = await checkpointFor(request);
	const state = found.checkpoint && (await readRunState(found.checkpoint));

	const folder = await openModelFolder(await resolveModel(config.model));
	const maxLength = settledLength(config.maxLength, folder.config.shape.maxPositions);
	const tokenizer = await Tokenizer.load(folder.folder);
	const base = loadBase();
	const { Generator } = base;
	const sources = { train: request.train, eval: request.eval, labels: config.labels, Generator, dataSeed: config.dataSeed ?? config.seed };
	const warnings = [...found.warnings];
	const readingStarted = performance.now();
	const material = await gather(
		sources,
		readingOptions(tokenizer, maxLength, request, (warning) => warnings.push(warning)),
	);
	const readSeconds = (performance.now() - readingStarted) / 1000;
	requireKnownTokens([material.train, material.eval], folder.config.shape.vocabSize, folder.folder);
	const plan = planOf(rowsOf(material.train), config);
	const model = withLabels(folder.config, material.labels, config.problemType);
	const engine = loadEngine();
	await requireWritable(config.outputDir); // now, not after hours

	const share = isSplit(request.eval) ? request.eval : undefined;
	const dtype = settledDtype(config.dtype, state?.identity.machine.dtype, base.cpu());
	const identity = await identityOf({ config: { ...config, maxLength, eval: share }, dtype, folder, material, base, engine });
	const remarks = state === undefined ? material.warnings : requireSameRun(state.identity, identity);
	const classWeights = config.classWeights && settledWeights(config.classWeights, material.labels, material.train.targets, 'classWeights');
	const { sampling } = config;
	const drawn = sampling === 'shuffle' ? undefined : rowWeights(sampling, material.labels, material.train.targets);
	const options = sessionOptions(folder.weights, model, { ...config, dtype }, classWeights);
	const saved = found.checkpoint && state && { folder: found.checkpoint.folder, counters: state.counters };
	const workplace = await Workplace.open({ engine, options, model, tokenizer, eval: material.eval, maxLength }, saved);
	request.occupy(workplace);
	const { ignored, initialized } = workplace.session;
	return {
		config: { ...config, maxLength },
		train: request.train,
		sources: { train: request.train.source, eval: request.eval instanceof Dataset ? request.eval.source : share },
		model: folder.folder,
		material,
		classWeights,
		plan,
		schedule: scheduleOf(config, plan.totalSteps),
		order: {
			...config,
			rowsPerStep: config.perDeviceTrainBatchSize * config.gradientAccumulationSteps,
			lengths: lengthsOf(material.train),
			rowWeights: drawn,
			Generator,
		},
		identity,
		torchVersion: engine.torchVersion,
		workplace,
		from: found.checkpoint && state && { checkpoint: found.checkpoint, state },
		drawnFromSeed: state?.drawnFromSeed ?? initialized,
		readSeconds,
		warnings: [...warnings, ...remarks, ...dtypeWarnings(dtype, base.cpu()), ...ignoredWeights(ignored)],
	};
}

/** How rows are read: texts longer than `maxLength` tokens are cut, and `stopped` ends it with AbortError. `onWarning` is told of token files that are of no use. */
export function readingOptions(
	tokenizer: Tokenizer,
	maxLength: number,
	{ config, stopped, signal }: Pick<Request, 'config' | 'stopped' | 'signal'>,
	onWarning: (warning: Warning) => void,
): ReadingOptions {
	const stopIfAborted = () => {
		if (stopped()) throw new AbortError('The run was stopped while its rows were read; nothing was saved', { cause: signal?.reason });
	};
	return {
		encode: (texts) => tokenizer.encodeBatch(texts, { maxLength }),
		tokenizer,
		problemType: config.problemType,
		maxLength,
		truncation: config.truncation,
		cache: new TokenCache({ folder: tokensFolder(), openTokenRows: loadBase().openTokenRows, stopIfAborted, onWarning }),
		stopIfAborted,
	};
}

async function checkpointFor({ config, resume }: Request): Promise<{ checkpoint: Checkpoint | undefined; warnings: Warning[] }> {
	if (resume === undefined || resume === false) return { checkpoint: undefined, warnings: [] };
	if (typeof resume === 'string') return { checkpoint: await openCheckpoint(resume), warnings: [] };
	const { checkpoint, passedOver } = await findCheckpoint(config.outputDir);
	const warnings = passedOver.map(({ folder, reason }) => ({
		code: 'CHECKPOINT_PASSED_OVER',
		message: `${folder} is not a whole checkpoint: ${reason}`,
	}));
	if (checkpoint === undefined)
		warnings.push({
			code: 'CHECKPOINT_NOT_FOUND',
			message: `${config.outputDir} has no checkpoint to go on from; the run starts from the beginning`,
		});
	return { checkpoint, warnings };
}

function settledLength(maxLength: number | undefined, positions: number): number {
	if (maxLength === undefined) return Math.min(512, positions);
	if (maxLength <= positions) return maxLength;
	throw new ConfigError('OPTIONS_INVALID', `Expected \`maxLength\` to be at most ${positions}, the positions of this model, got ${maxLength}`);
}

function ignoredWeights(ignored: readonly string[]): Warning[] {
	if (ignored.length === 0) return [];
	return [{ code: 'WEIGHTS_IGNORED', message: `A classifier has no use for these tensors of the model: ${ignored.join(', ')}` }];
}
