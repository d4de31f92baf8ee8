#!/usr/bin/env node
/** The command line: verbs and their flags. Each verb loads its own code when it is called. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';

import { ConfigError } from '../errors.js';
import { packageVersion } from '../runtime/build.js';
import { dtypes } from '../runtime/native.js';
import { addTrainingFlags } from './flags.js';
import { Output } from './output.js';

type Flags = Record<string, unknown> & { readonly json?: boolean; readonly quiet?: boolean };

const wholeNumber = (word: string): number => {
	const value = Number(word);
	if (word.trim() !== '' && Number.isSafeInteger(value)) return value;
	throw new InvalidArgumentError('Expected a whole number.');
};

const anyNumber = (word: string): number => {
	const value = Number(word);
	if (word.trim() !== '' && Number.isFinite(value)) return value;
	throw new InvalidArgumentError('Expected a number.');
};

const program = new Command('distiltune')
	.description('Fine-tune and serve DistilBERT text classifiers')
	.version(packageVersion())
	.configureOutput({ writeErr: () => {} })
	.enablePositionalOptions() // what follows a verb is read by that verb
	.exitOverride();

function verb(usage: string, description: string, example: string, parent = program): Command {
	return parent
		.command(usage)
		.description(description)
		.option('--json', 'JSON on standard output')
		.option('--quiet', 'no words for people')
		.addHelpText('after', `\nExample:\n  ${example}`);
}

/** What `data check` and `doctor data` both are. */
function dataCheck(command: Command): Command {
	return command
		.option('--against <file>', 'data that is to measure what is learned from <file>: rows in both are found')
		.option('--fix <out>', 'write the rows that stay to a new file, in the format of <file>')
		.option('--model <name>', 'count tokens as this model does (default: minilm-l6 where it is found, else an estimate)')
		.option('--strict', 'exit code 1 where there is an error or a warning among the findings')
		.option(...textColumn)
		.option(...labelColumn)
		.action(async (file: string, flags) => (await import('./data.js')).dataCheckVerb(file, flags, new Output(flags)));
}

/** What `doctor` and `doctor env` both are. */
function machineVerb(command: Command): Command {
	return command
		.option('--libtorch <folder>', 'the libtorch to look at')
		.action(async (flags) => (await import('./machine.js')).doctorVerb(flags, new Output(flags)));
}

const textColumn = ['--text-column <name>', 'column that holds the text', 'text'] as const;
const labelColumn = ['--label-column <name>', 'column that holds the label', 'label'] as const;
const inputFormat = ['--input-format <word>', 'csv, tsv, jsonl or lines (default: by the ending; jsonl for -)'] as const;
const maxLength = ['--max-length <n>', 'longest row in tokens', wholeNumber] as const;
const threads = ['--threads <n>', 'threads for arithmetic; 0 for one per physical core', wholeNumber] as const;
const dtype = () => new Option('--dtype <word>', 'what weights are kept and multiplied in (default: what they were saved in)').choices(dtypes);

addTrainingFlags(verb('train', 'Fine-tune a model', 'distiltune train --model minilm-l6 --train train.csv --eval eval.csv --output-dir out'))
	.option('--find-learning-rate', 'train nothing: try rising rates over a few hundred steps and propose one')
	.action(async (flags: Flags, command: Command) => (await import('./train.js')).trainVerb(flags, command.args, new Output(flags)));

const severalTimes = (word: string, before: readonly string[] = []) => [...before, word];

addTrainingFlags(
	verb(
		'sweep',
		'Train with several values of options, one run after another, and keep the best',
		'distiltune sweep --model minilm-l6 --train train.csv --eval eval.csv --grid learningRate=1e-5,2e-5,5e-5 --grid numTrainEpochs=2,3\n' +
			'  distiltune sweep --model minilm-l6 --train train.csv --eval eval.csv --random 12 --range learningRate=1e-5..1e-4 --range numTrainEpochs=2..4',
	),
)
	.option('--grid <name=a,b,...>', 'values of an option; may be repeated', severalTimes)
	.option(
		'--range <name=low..high>',
		'with --random, numbers to draw from, log-uniform or whole (:log, :uniform, :int); may be repeated',
		severalTimes,
	)
	.option('--random <n>', 'draw so many runs instead of trying every combination')
	.option('--sweep-seed <n>', 'seed of what is drawn (default: 42)')
	.option('--metric <name>', 'number to compare runs by (default: accuracy, else loss)')
	.option('--goal <word>', 'maximize or minimize it (default: by its name)')
	.option('--no-median-stop', 'let hopeless runs go on to their end')
	.action(async (flags, command: Command) => (await import('./sweep.js')).sweepVerb(flags, command.args, new Output(flags)));

verb('eval <dir>', 'Measure a trained model', 'distiltune eval out --data eval.csv')
	.requiredOption('--data <file>', 'rows to measure on')
	.option(...textColumn)
	.option(...labelColumn)
	.option('--label-separator <name>', 'what parts several labels of a row that are one text (default: |)')
	.option(...maxLength)
	.addOption(dtype())
	.option(...threads)
	.action(async (folder: string, flags) => (await import('./eval.js')).evalVerb(folder, flags, new Output(flags)));

verb('predict <dir> [texts...]', 'Classify texts', 'distiltune predict out "I feel fine"')
	.option('--input <file>', 'texts from a file: .csv, .tsv, .jsonl, .json, .parquet, or .txt for a text a line; - for standard input')
	.option(...inputFormat)
	.option('--output <file>', 'write there instead: a table where it ends in .csv or .tsv, else JSON lines')
	.option('--strict', 'end at the first row that cannot be read, and leave no output file')
	.option('--top-k <n>', 'the n labels with the highest scores', wholeNumber)
	.option('--threshold <x>', 'score from which on a label is given', anyNumber)
	.option('--stride <n>', 'read long texts whole, in windows that share so many tokens', wholeNumber)
	.addOption(new Option('--aggregate <word>', 'what becomes of the scores of windows (default: mean)').choices(['mean', 'max']))
	.option(...textColumn)
	.option(...maxLength)
	.addOption(dtype())
	.option(...threads)
	.action(async (folder: string, texts: string[], flags) => (await import('./predict.js')).predictVerb(folder, texts, flags, new Output(flags)));

verb('tokenize <model> [texts...]', 'Show the tokens of texts, one JSON object a line', 'distiltune tokenize minilm-l6 "I feel fine"')
	.option('--input <file>', 'texts from a file; - for standard input')
	.option(...inputFormat)
	.option(...textColumn)
	.option(...maxLength)
	.action(async (model: string, texts: string[], flags) => (await import('./tokenize.js')).tokenizeVerb(model, texts, flags, new Output(flags)));

const data = program.command('data').description('Look at data before a model does');
dataCheck(
	verb(
		'check <file>',
		'Say what is wrong or odd with rows, alone or against those to measure on',
		'distiltune data check train.csv --against eval.csv',
		data,
	),
);

verb('setup [action]', 'Fetch libtorch into the cache; "setup clean" removes it', 'distiltune setup')
	.option('--from <path>', 'take it from a wheel, a zip or a folder instead')
	.option('--print-urls', 'print what fetches it on another machine, its name and SHA-256, and what installs it here')
	.action(async (action: string | undefined, flags) => (await import('./machine.js')).setupVerb(action, flags, new Output(flags)));

const doctor = machineVerb(
	verb(
		'doctor',
		'Say what this machine has and lacks for training, and what mends it; or look at data or at a run',
		'distiltune doctor run out',
	).enablePositionalOptions(),
);
machineVerb(verb('env', 'The same: what this machine has and lacks for training', 'distiltune doctor env', doctor));
dataCheck(verb('data <file>', 'The same as data check', 'distiltune doctor data train.csv --against eval.csv', doctor));
verb('run <dir>', 'Say what is wrong with a run, by what it left in its output folder', 'distiltune doctor run out', doctor).action(
	async (folder: string, flags: Flags) => (await import('./doctor.js')).doctorRunVerb(folder, new Output(flags)),
);

verb('build', 'Build the training engine for the libtorch of this machine', 'distiltune build')
	.option('--libtorch <folder>', 'the libtorch to build for')
	.action(async (flags) => (await import('./machine.js')).buildVerb(flags, new Output(flags)));

async function main(): Promise<void> {
	// A reader that has seen enough, such as head, is no failure.
	process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
	try {
		await program.parseAsync();
	} catch (error) {
		if (error instanceof CommanderError && error.exitCode === 0) return;
		process.exitCode = new Output({ json: process.argv.includes('--json') }).fail(inOurWords(error));
	}
}

function inOurWords(error: unknown): unknown {
	if (!(error instanceof CommanderError)) return error;
	if (error.code === 'commander.help') return new ConfigError('VERB_MISSING', 'Expected a command', { hint: 'distiltune --help' });
	const [sentence = '', suggestion] = error.message.replace(/^error: /, '').split('\n');
	return new ConfigError('OPTIONS_INVALID', sentence, { hint: suggestion?.replace(/[()]/g, '') ?? 'distiltune --help' });
}

await main();
