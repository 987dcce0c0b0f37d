package eval

// About is the help of `qpipe eval`.
const About = `Evaluate a checkpoint or an int8 model on a data set of a pipeline, as the model
stands in its file: accuracy, the mean cross-entropy loss, which labels got which
answers, and images a second. MODEL is

  a file        runs/mnist/qat/last.safetensors
  a reference   stage.qat.checkpoint.best, in the run's folder (-out)

Of the pipeline only the data set counts. Images or classes that do not fit the
model are an error; another Normalize than the model was made with is a warning.

-dump writes what the network computes into a folder that is new, empty, or holds
an earlier dump: logits, predictions, labels, the input images, and every node's
output, its integers where it has them, as .npy files that index.json lists.
docs/format.md describes them.`
