/*
 * Plays the samples of proto/vectors/player.json to the SDK's recorder, and prints the runs that it makes of each
 * vector, as they go over the wire:
 *
 *     node record.mjs RECORDER.JS PLAYER.JSON
 */
import {readFileSync} from 'node:fs';
import {resolve} from 'node:path';
import {pathToFileURL} from 'node:url';

const [recorderPath, vectorsPath] = process.argv.slice(2);
const {createRecorder} = await import(pathToFileURL(resolve(recorderPath)));

const sampleOf = sample => ({
  now: sample.at_ms,
  media: sample.media_ms,
  rate: sample.rate,
  playing: sample.state === 'playing',
  jumped: sample.state === 'seeking',
});

const runOf = run => ({
  from_ms: Math.round(run.from),
  to_ms: Math.round(run.to),
  media_from_ms: Math.round(run.media_from),
  media_to_ms: Math.round(run.media_to),
  rate: run.rate,
});

function play(samples) {
  const runs = [];
  const recorder = createRecorder(run => runs.push(runOf(run)));
  for (const sample of samples) {
    recorder.observe(sampleOf(sample));
    if (sample.event === 'heartbeat') recorder.cut();
  }
  return runs;
}

const {vectors} = JSON.parse(readFileSync(vectorsPath, 'utf8'));
console.log(JSON.stringify(Object.fromEntries(vectors.map(vector => [vector.name, play(vector.samples)]))));
